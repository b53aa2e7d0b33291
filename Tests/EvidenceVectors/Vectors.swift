// SPDX-License-Identifier: Apache-2.0
public import FileIO
internal import Glibc
public import PinKit

/// Test vectors. Those that are third-party data, real SNP evidence among them, are no part of this package: they are read
/// from `$CVM_CLEVIS_VECTORS`, else from `../shared/vectors` beside it. Tests that need it are disabled, with ``missing`` as the reason, where there is none.
public enum Vectors {
    public static let missing: String = "no evidence at \(root): set CVM_CLEVIS_VECTORS"
    public static var present: Bool { FileIO.exists("\(root)/snp") }

    /// Every folder with a report and the certificate that signed it.
    public static let evidence = [
        "milan-v2-vcek-a", "milan-v2-vcek-gcp", "milan-v3-vlek-aws", "genoa-v3-vcek-azure", "genoa-v5-vcek",
        "turin-v5-vcek-alibaba",
    ]

    /// Every folder with a TDX quote.
    public static let quotes = [
        "v4-00806f05-gcp-cos113", "v4-00806f05-outofdate", "v4-50806f-trustee-debug-outofdate", "v4-b0c06f-uptodate",
        "v5-90c06f-notcblevel", "v5-90c06f-uptodate",
    ]

    /// The file at `path`, below the folder that holds `snp` and `kbs`.
    public static func read(_ path: String) throws(FileError) -> [UInt8] {
        try FileIO.read("\(root)/\(path)", limit: 1 << 20)
    }

    public static func json(_ path: String) throws -> JSON { try JSON(parsing: read(path)) }

    /// The folder of our own vectors and test keys, which is always there.
    public static let own = "\(package)/Tests/Vectors"

    private static let root: String = {
        if let path = unsafe getenv("CVM_CLEVIS_VECTORS") { return unsafe String(cString: path) }
        return "\(package)/../shared/vectors"
    }()

    private static let package = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
}
