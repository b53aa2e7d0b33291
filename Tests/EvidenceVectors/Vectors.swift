// SPDX-License-Identifier: Apache-2.0
public import FileIO
internal import Glibc
public import PinKit

/// Real SNP evidence, third-party data that is not part of this package: read from `$CVM_CLEVIS_VECTORS`, else from
/// `../shared/vectors` beside it. Tests that need it are disabled, with ``missing`` as the reason, where there is none.
public enum Vectors {
    public static let missing: String = "no evidence at \(root): set CVM_CLEVIS_VECTORS"
    public static var present: Bool { FileIO.exists("\(root)/snp") }

    /// Every folder with a report and the certificate that signed it.
    public static let evidence = [
        "milan-v2-vcek-a", "milan-v2-vcek-gcp", "milan-v3-vlek-aws", "genoa-v3-vcek-azure", "genoa-v5-vcek",
        "turin-v5-vcek-alibaba",
    ]

    /// The file at `path`, below the folder that holds `snp` and `kbs`.
    public static func read(_ path: String) throws(FileError) -> [UInt8] {
        try FileIO.read("\(root)/\(path)", limit: 1 << 20)
    }

    public static func json(_ path: String) throws -> JSON { try JSON(parsing: read(path)) }

    private static let root: String = {
        if let path = unsafe getenv("CVM_CLEVIS_VECTORS") { return unsafe String(cString: path) }
        let package = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        return "/\(package)/../shared/vectors"
    }()
}
