// SPDX-License-Identifier: Apache-2.0

/// The header of one file in a cpio archive of the kind that kernels unpack (Linux Documentation/driver-api/early-userspace/
/// buffer-format.rst: "newc" and "crc").
struct CPIOHeader {
    static let length = 110
    /// Bytes of a path, as in the kernel.
    static let maximumName = 4096

    /// What makes several names one file.
    struct Identity: Hashable {
        let device: UInt64
        let inode: UInt32
    }

    enum Kind {
        case directory, file, link, other
    }

    let identity: Identity
    let kind: Kind
    let isExecutable: Bool
    let links: Int
    /// Bytes of what it holds.
    let size: Int
    let nameSize: Int

    static func begins(_ bytes: some Sequence<UInt8>) -> Bool {
        bytes.starts(with: "070701".utf8) || bytes.starts(with: "070702".utf8)
    }

    /// nil for bytes that are none.
    init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.length, Self.begins(bytes) else { return nil }
        var fields: [UInt32] = []
        for start in stride(from: 6, to: Self.length, by: 8) {
            let digits = String(decoding: bytes[start..<start + 8], as: UTF8.self)
            guard digits.first != "+", let field = UInt32(digits, radix: 16) else { return nil }
            fields.append(field)
        }
        guard (1...Self.maximumName).contains(Int(fields[11])) else { return nil }
        identity = Identity(device: UInt64(fields[7]) << 32 | UInt64(fields[8]), inode: fields[0])
        switch fields[1] & 0o170000 {
        case 0o040000: kind = .directory
        case 0o100000: kind = .file
        case 0o120000: kind = .link
        default: kind = .other
        }
        isExecutable = fields[1] & 0o111 != 0
        links = Int(fields[4])
        size = Int(fields[6])
        nameSize = Int(fields[11])
    }
}
