// SPDX-License-Identifier: Apache-2.0
internal import FileIO
internal import Glibc
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

    /// A key that signs; made where there is none yet.
    static func signingKey(_ path: String) throws(BrokerError) -> SigningKey {
        if !FileIO.exists(path) {
            let key = try BrokerError.wrapping("cannot make a key", SigningKey.generate)
            try create(path, secret: try BrokerError.wrapping("cannot write a key", key.pem))
        }
        let pem = try readSecret(path)
        return try BrokerError.wrapping(path) { () throws(PinError) in try SigningKey(pem: pem) }
    }

    /// A key of 32 bytes.
    static func sealer(_ path: String) throws(BrokerError) -> Sealer {
        let key = try readSecret(path)
        do throws(PinError) {
            return try Sealer(key: key)
        } catch {
            throw BrokerError("\(path): \(error)")
        }
    }

    /// A new key of 32 bytes, on the disk when this returns: a store full of what is sealed with it must not outlive it.
    /// `owner`: a file whose owner is to have it too, where root makes it.
    static func createSealer(_ path: String, owner: String? = nil) throws(BrokerError) {
        let key = try BrokerError.wrapping("cannot make a key") { () throws(PinError) in
            try SecretBytes.random(count: Sealer.keyLength)
        }
        try create(path, secret: key)
        if let owner {
            try BrokerError.wrapping { () throws(FileError) in try FileIO.give(path, toOwnerOf: owner) }
        }
        try sync(path)
        try sync(String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]))
    }

    private static func sync(_ path: String) throws(BrokerError) {
        let descriptor = unsafe open(path.isEmpty ? "." : path, O_RDONLY | O_CLOEXEC)
        defer { if descriptor >= 0 { close(descriptor) } }
        guard descriptor >= 0, fsync(descriptor) == 0 else {
            throw BrokerError("cannot write \(path) to the disk: \(unsafe String(cString: strerror(errno)))")
        }
    }
}
