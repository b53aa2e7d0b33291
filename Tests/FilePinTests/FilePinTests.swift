// SPDX-License-Identifier: Apache-2.0
import FileIO
import FilePin
import Foundation
import PinKit
import SSSPin
import Testing

private let registry = PinRegistry([FilePin(), SSSPin()])

private func encrypt(_ configuration: JSON, pin: String = "file") throws -> JWE {
    let binding = try Binding(issuedAt: 0, owner: nil, registry: registry)
    let encryptor = try registry.encryptor(named: pin, for: configuration, in: binding)
    return try encryptor.encrypt(SecretBytes(copyingPublic: Array("hello".utf8)))
}

private func decrypt(_ message: JWE) throws -> String {
    let secret = try PolicyWalk(registry: registry, deadline: .after(seconds: 10)).recover(message)
    return unsafe secret.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
}

@Suite final class FilePinTests {
    let folder = FileManager.default.temporaryDirectory.appending(path: "cvm-file-\(UUID().uuidString)").path
    var key: String { "\(folder)/key" }

    init() throws { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false) }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    @Test func `the secret comes back where the file is, and nobody else may read the file`() throws {
        let message = try encrypt(["name": .string(key)])
        #expect(try decrypt(message) == "hello")
        #expect(try FileIO.isPrivate(key))
        try FileManager.default.moveItem(atPath: key, toPath: "\(key).away")
        let error = try #require(throws: PinError(.unavailable)) { _ = try decrypt(message) }
        #expect(error.description == "file: unavailable: read the key: \(key): No such file or directory")
    }

    @Test func `the header is that of clevis`() throws {
        let message = try encrypt(["name": .string(key)])
        let expected: JSON = [
            "alg": "dir", "clevis": ["file": ["name": .string(key)], "pin": "file"], "enc": "A256GCM",
        ]
        #expect(JSON.object(message.header).canonical == expected.canonical)
    }

    @Test func `jose opens ours with the file as its key, and we open what jose has made with one`() throws {
        let message = try encrypt(["name": .string(key)])
        try message.compact.write(toFile: "\(folder)/ours.jwe", atomically: false, encoding: .utf8)
        #expect(try jose("jwe", "dec", "-k", key, "-i", "\(folder)/ours.jwe") == "hello")

        _ = try jose("jwk", "gen", "-i", #"{"alg":"A256GCM"}"#, "-o", "\(folder)/theirs.key")
        try "hello".write(toFile: "\(folder)/plain", atomically: false, encoding: .utf8)
        let header: JSON = [
            "protected": [
                "alg": "dir", "clevis": ["file": ["name": .string("\(folder)/theirs.key")], "pin": "file"], "enc": "A256GCM",
            ]
        ]
        let theirs = try jose(
            "jwe", "enc", "-i", header.compact, "-k", "\(folder)/theirs.key", "-I", "\(folder)/plain", "-c")
        #expect(try decrypt(JWE(compact: theirs)) == "hello")
    }

    @Test func `a file that exists is never overwritten`() throws {
        try "precious".write(toFile: key, atomically: false, encoding: .utf8)
        let error = try #require(throws: PinError(.failed)) { _ = try encrypt(["name": .string(key)]) }
        #expect(error.description == "file: failed: make the key: \(key): File exists")
        #expect(try String(contentsOfFile: key, encoding: .utf8) == "precious")
    }

    @Test(arguments: [
        (#"{}"#, "name: is missing"), (#"{"name":""}"#, "name: is not the name of a file"),
        (#"{"name":"x","more":1}"#, "unknown member more"),
    ])
    func `a configuration that names no file is malformed`(text: String, reason: String) throws {
        let error = try #require(throws: PinError(.malformed)) { _ = try encrypt(try JSON(parsing: text)) }
        #expect(error.detail == reason)
    }

    @Test(arguments: [("garbage", PinError.Code.malformed), (String(repeating: "x", count: 5000), .unavailable)])
    func `a file that holds no key gives nothing`(content: String, code: PinError.Code) throws {
        let message = try encrypt(["name": .string(key)])
        try content.write(toFile: key, atomically: false, encoding: .utf8)
        #expect(throws: PinError(code)) { try decrypt(message) }
    }

    @Test func `another key is refused`() throws {
        let message = try encrypt(["name": .string(key)])
        try FileManager.default.removeItem(atPath: key)
        _ = try encrypt(["name": .string(key)])
        #expect(throws: PinError(.refused)) { try decrypt(message) }
    }
}

private func jose(_ arguments: String...) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/jose")
    process.arguments = arguments
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    return String(decoding: data, as: UTF8.self)
}
