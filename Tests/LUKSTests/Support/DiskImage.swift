// SPDX-License-Identifier: Apache-2.0
import Foundation
import LUKS
import PinKit
import Testing

/// A LUKS2 volume in a sparse file of its own folder, made by Debian's cryptsetup with ``password``; gone with this object.
final class DiskImage: Sendable {
    static let password = "a passphrase of the owner"

    let folder: URL
    let path: String
    var volume: Volume { Volume(path) }

    /// `format` are further options of luksFormat; nil leaves the file empty.
    init(format: [String]? = []) throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "luks-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        path = folder.appending(path: "disk.img").path
        try Data().write(to: URL(fileURLWithPath: path))
        try FileHandle(forWritingTo: URL(fileURLWithPath: path)).truncate(atOffset: 32 << 20)
        if let format { try luksFormat(format) }
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    private func luksFormat(_ options: [String]) throws {
        let fixed = [
            "luksFormat", "--batch-mode", "--type", "luks2", "--cipher", "aes-xts-plain64", "--key-size", "512",
            "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--key-file", "-",
        ]
        try cryptsetup(fixed + options + [path], input: DiskImage.password).expectSuccess()
    }

    /// SHA-256 of the header and the key material: all that anything here may write.
    func digest() throws -> [UInt8] { Digest.sha256(try bytes(0..<16 << 20)) }

    func bytes(_ range: Range<Int>) throws -> [UInt8] {
        let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        defer { try? file.close() }
        try file.seek(toOffset: UInt64(range.lowerBound))
        return Array(try file.read(upToCount: range.count) ?? Data())
    }

    func write(_ bytes: [UInt8], at offset: Int) throws {
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        defer { try? file.close() }
        try file.seek(toOffset: UInt64(offset))
        try file.write(contentsOf: bytes)
    }

    func copy() throws -> DiskImage {
        let copy = try DiskImage(format: nil)
        try run("/bin/cp", ["--sparse=always", path, copy.path]).expectSuccess()
        return copy
    }

    /// Whether Debian's cryptsetup opens the volume with `passphrase`.
    func opens(with passphrase: String, keyslot: Int? = nil) throws -> Bool {
        let slot = keyslot.map { ["--key-slot", "\($0)"] } ?? []
        let test = ["open", "--test-passphrase", "--disable-external-tokens", "--key-file", "-"]
        return try cryptsetup(test + slot + [path], input: passphrase).status == 0
    }

    /// The metadata as Debian's cryptsetup shows them.
    func metadata() throws -> JSON {
        let dump = try cryptsetup(["luksDump", "--dump-json-metadata", path])
        try dump.expectSuccess()
        return try JSON(parsing: dump.output)
    }

    /// A token as Debian's cryptsetup shows it.
    func token(_ number: Int) throws -> ClevisToken {
        let json = try #require(try metadata()["tokens"]?["\(number)"])
        let token = try ClevisToken(json)
        return try #require(token)
    }
}

extension SecretBytes {
    init(_ text: String) { self.init(copyingPublic: Array(text.utf8)) }
}

// MARK: - Peers

struct Finished {
    let status: Int32
    let output: String
    let errors: String

    func expectSuccess(sourceLocation: SourceLocation = #_sourceLocation) throws {
        try #require(status == 0, "\(errors)", sourceLocation: sourceLocation)
    }
}

/// Debian's cryptsetup: an independent reader and writer. A test without it fails.
@discardableResult
func cryptsetup(_ arguments: [String], input: String = "") throws -> Finished {
    try run("/usr/sbin/cryptsetup", arguments, input: input)
}

@discardableResult
func run(_ program: String, _ arguments: [String], input: String = "") throws -> Finished {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    let (stdin, stdout, stderr) = (Pipe(), Pipe(), Pipe())
    process.standardInput = stdin
    process.standardOutput = stdout
    process.standardError = stderr
    try process.run()
    try stdin.fileHandleForWriting.write(contentsOf: Data(input.utf8))
    try stdin.fileHandleForWriting.close()
    let output = try stdout.fileHandleForReading.readToEnd() ?? Data()
    let errors = try stderr.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return Finished(
        status: process.terminationStatus, output: String(decoding: output, as: UTF8.self),
        errors: String(decoding: errors, as: UTF8.self))
}

extension DiskImage {
    /// As cryptsetup gives it.
    func volumeKey() throws -> SecretBytes {
        let file = folder.appending(path: "volume-key").path
        let dump = ["luksDump", "--dump-volume-key", "--volume-key-file", file, "--batch-mode", "--key-file", "-"]
        try cryptsetup(dump + [path], input: DiskImage.password).expectSuccess()
        return try SecretBytes(copyingPublic: Array(Data(contentsOf: URL(fileURLWithPath: file))))
    }
}
