// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// The pins that other projects bring as programs, `clevis-encrypt-NAME` and `clevis-decrypt-NAME` (docs/spec/pins.md §1.2).
///
/// A value that says where to look, and what such a program is told about this machine. Looking reads directories; nothing is
/// started before a pin is used.
public struct ExternalPins: Sendable {
    /// Characters of a pin's name, which becomes part of a file's name.
    public static let maximumName = 64

    private let directories: [String]
    private let environment: [String]
    private let encryptTimeout: Int

    /// - Parameters:
    ///   - path: directories with colons between them, as in `PATH`; those that are not absolute are left out, here and in what
    ///     the programs get to see.
    ///   - environment: `NAME=value`, all that the programs get beside `PATH`.
    ///   - encryptTimeout: seconds after which an encrypting program is killed. (Decrypting ends at the run's deadline.)
    public init(path: String, environment: [String] = [], encryptTimeout: Int = 60) {
        directories = path.split(separator: ":").filter { $0.hasPrefix("/") }.map(String.init)
        self.environment = ["PATH=\(directories.joined(separator: ":"))"] + environment
        self.encryptTimeout = encryptTimeout
    }

    /// The pin `name`, or nil where neither of its programs is found.
    public func pin(named name: String) -> ExternalPin? {
        guard ExternalPins.isName(name) else { return nil }
        let (encrypt, decrypt) = (program("clevis-encrypt-\(name)"), program("clevis-decrypt-\(name)"))
        guard encrypt != nil || decrypt != nil else { return nil }
        return ExternalPin(name: name, encrypt: encrypt, decrypt: decrypt, encryptTimeout: encryptTimeout)
    }

    /// Lower-case letters, digits and inner hyphens: what can neither leave a directory nor look like an option.
    static func isName(_ name: String) -> Bool {
        let isOfAlphabet = name.utf8.allSatisfy { character in
            switch character {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
            default: false
            }
        }
        return isOfAlphabet && (1...maximumName).contains(name.utf8.count) && !name.hasPrefix("-") && !name.hasSuffix("-")
    }

    private func program(_ name: String) -> PinProgram? {
        for directory in directories {
            let path = "\(directory)/\(name)"
            guard let file = FileIdentity(path), file.isRegular, unsafe access(path, X_OK) == 0 else { continue }
            // A link to this very program would come back here, for ever.
            guard file != FileIdentity("/proc/self/exe") else { continue }
            return PinProgram(path: path, environment: environment)
        }
        return nil
    }
}

/// Which file a path leads to in the end.
private struct FileIdentity: Equatable {
    private let device: UInt
    private let number: UInt
    let isRegular: Bool

    init?(_ path: String) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        device = UInt(status.st_dev)
        number = UInt(status.st_ino)
        isRegular = status.st_mode & S_IFMT == S_IFREG
    }
}
