// SPDX-License-Identifier: Apache-2.0
internal import FileIO
internal import PinKit

/// Small files of the broker's directory, with errors in the operator's words.
enum KeyFile {
    /// Nothing that the broker keeps as a file, or is given as one, is longer.
    static let maximumLength = 64 << 10

    /// Creates `path`, mode 0600; it must not exist.
    static func create(_ path: String, secret: borrowing SecretBytes) throws(BrokerError) {
        try BrokerError.wrapping { () throws(FileError) in try FileIO.createSecret(path, secret) }
    }

    /// Creates `path`, readable by everybody; it must not exist.
    static func create(_ path: String, text: String) throws(BrokerError) {
        try BrokerError.wrapping { () throws(FileError) in try FileIO.create(path, Array(text.utf8)) }
    }

    /// Refuses a file that the group or others may use.
    static func readSecret(_ path: String) throws(BrokerError) -> SecretBytes {
        try requirePrivate(path)
        return try BrokerError.wrapping { () throws(FileError) in try FileIO.readSecret(path, limit: maximumLength) }
    }

    static func readText(_ path: String) throws(BrokerError) -> String {
        let bytes = try BrokerError.wrapping { () throws(FileError) in try FileIO.read(path, limit: maximumLength) }
        return String(decoding: bytes, as: UTF8.self)
    }

    static func requirePrivate(_ path: String) throws(BrokerError) {
        let isPrivate = try BrokerError.wrapping { () throws(FileError) in try FileIO.isPrivate(path) }
        guard isPrivate else {
            throw BrokerError("\(path) is open to others", hint: "chmod 600 \(path), and think about who had it")
        }
    }
}
