// SPDX-License-Identifier: Apache-2.0
import FileIO
import Foundation
import NullPin
import PinKit
import SEVSecretPin
import SSSPin
import Testing

/// A directory as the kernel's, but an ordinary one. Entries belong to root, so these tests are root's.
@Suite final class SEVSecretPinTests {
    let folder = FileManager.default.temporaryDirectory.appending(path: "cvm-sev-secret-\(UUID().uuidString)").path
    var file: String { "\(folder)/secret" }
    var entries: String { "\(folder)/coco" }
    var registry: PinRegistry { PinRegistry([SEVSecretPin(directory: entries), SSSPin(), NullPin()]) }

    init() throws {
        try FileManager.default.createDirectory(atPath: entries, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    func encrypt(_ configuration: JSON, pin: String = "sev-secret") throws -> JWE {
        let binding = try Binding(issuedAt: 0, owner: nil, registry: registry)
        let encryptor = try registry.encryptor(named: pin, for: configuration, in: binding)
        return try encryptor.encrypt(SecretBytes(copyingPublic: Array("hello".utf8)))
    }

    func decrypt(_ message: JWE) throws -> String {
        let secret = try PolicyWalk(registry: registry, deadline: .after(seconds: 10)).recover(message)
        return unsafe secret.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
    }

    func guid(of message: JWE) throws -> String { try #require(message.parameters?["guid"]?.string) }

    /// Puts the entry of `message` into the guest, as the firmware would.
    func inject(_ bytes: [UInt8], for message: JWE, mode: Int = 0o440) throws {
        let path = "\(entries)/\(try guid(of: message))"
        try? FileManager.default.removeItem(atPath: path)
        try FileIO.create(path, bytes)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
    }

    var secret: [UInt8] { get throws { try FileIO.read(file, limit: 4096) } }

    @Test func `the secret comes back where the owner's file was injected, and the file is private`() throws {
        let message = try encrypt(["file": .string(file)])
        #expect(try FileIO.isPrivate(file))
        #expect(try secret.count == 32)
        try inject(secret, for: message)
        #expect(try decrypt(message) == "hello")
        #expect(try decrypt(message) == "hello", "trying takes nothing away")
    }

    @Test func `the header names an entry, and no file`() throws {
        let chosen = "0a1b2c3d-0000-4000-8000-0123456789ab"
        let message = try encrypt(["file": .string(file), "guid": .string(chosen)])
        let expected: JSON = [
            "alg": "dir", "clevis": ["pin": "sev-secret", "sev-secret": ["guid": .string(chosen)]], "enc": "A256GCM",
        ]
        #expect(JSON.object(message.header).canonical == expected.canonical)
    }

    @Test func `two bindings have two names`() throws {
        let first = try encrypt(["file": .string(file)])
        let second = try encrypt(["file": .string("\(file)2")])
        #expect(try guid(of: first) != guid(of: second))
    }

    @Test func `a passphrase is text under GRUB's name, and opens with the zero byte that GRUB wants or without`() throws {
        let message = try encrypt(["file": .string(file), "mode": "passphrase"])
        #expect(try guid(of: message) == "736869e5-84f0-4973-92ec-06879ce3da0b")
        #expect(message.parameters?["mode"] == "passphrase")
        let text = try secret
        #expect(text.count == 43 && Base64URL.decode(String(decoding: text, as: UTF8.self))?.count == 32)
        for ending in [[], [0]] as [[UInt8]] {
            try inject(text + ending, for: message)
            #expect(try decrypt(message) == "hello")
        }
        for wrong in [text + [10], text + [0, 0], Array(text.dropLast()), Array("!".utf8) + text.dropFirst()] {
            try inject(wrong, for: message)
            #expect(throws: PinError(.refused)) { try decrypt(message) }
        }
    }

    @Test func `what is forgotten is gone, and forgetting twice is nothing`() throws {
        let message = try encrypt(["file": .string(file)])
        try inject(secret, for: message)
        #expect(registry.forget(message) == [])
        #expect(try FileIO.names(in: entries) == [])
        #expect(registry.forget(message) == [])
        let error = try #require(throws: PinError(.unavailable)) { try decrypt(message) }
        #expect(error.detail.hasSuffix("it was not put in at this launch, or has been used"))
    }

    @Test func `a policy forgets what all its pins were opened with`() throws {
        let policy: JSON = [
            "t": 1, "pins": ["null": [[:]], "sev-secret": [["file": .string(file)], ["file": .string("\(file)2")]]],
        ]
        let message = try encrypt(policy, pin: "sss")
        let children = try #require((registry.pin(named: "sss") as? any PolicyPin)?.threshold(of: message).children)
        for child in children where child.pin == "sev-secret" { try inject([1], for: child) }
        #expect(try FileIO.names(in: entries).count == 2)
        #expect(registry.forget(message) == [])
        #expect(try FileIO.names(in: entries) == [])
    }

    @Test func `what cannot be taken away is said with its place`() throws {
        let message = try encrypt(["t": 1, "pins": ["sev-secret": ["file": .string(file)]]], pin: "sss")
        let child = try #require((registry.pin(named: "sss") as? any PolicyPin)?.threshold(of: message).children.first)
        try FileManager.default.createDirectory(
            atPath: "\(entries)/\(try guid(of: child))", withIntermediateDirectories: false)
        let leftovers = registry.forget(message)
        #expect(leftovers.map(\.path) == ["sss[0].sev-secret"])
    }

    @Test(arguments: [0o444, 0o640, 0o400, 0o4440])
    func `an entry with another mode than the kernel's is refused`(mode: Int) throws {
        let message = try encrypt(["file": .string(file)])
        try inject(secret, for: message, mode: mode)
        #expect(throws: PinError(.refused)) { try decrypt(message) }
    }

    @Test func `an entry of somebody else's is refused`() throws {
        let message = try encrypt(["file": .string(file)])
        try inject(secret, for: message)
        let path = "\(entries)/\(try guid(of: message))"
        try #require(unsafe chown(path, 65534, 0) == 0, "only root can give files away")
        #expect(throws: PinError(.refused)) { try decrypt(message) }
    }

    @Test func `neither a link nor a pipe nor a directory is an entry`() throws {
        let message = try encrypt(["file": .string(file)])
        try FileManager.default.setAttributes([.posixPermissions: 0o440], ofItemAtPath: file)
        let path = "\(entries)/\(try guid(of: message))"
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: file)
        #expect(throws: PinError(.failed)) { try decrypt(message) }
        try FileManager.default.removeItem(atPath: path)
        try #require(unsafe mkfifo(path, 0o440) == 0)
        #expect(throws: PinError(.refused)) { try decrypt(message) }
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        #expect(throws: PinError(.refused)) { try decrypt(message) }
    }

    @Test(arguments: [0, 31, 33, 4096]) func `an entry of another length is refused`(count: Int) throws {
        let message = try encrypt(["file": .string(file)])
        try inject([UInt8](repeating: 7, count: count), for: message)
        #expect(throws: PinError(.refused)) { try decrypt(message) }
    }

    @Test func `an entry longer than the area is not read`() throws {
        let message = try encrypt(["file": .string(file)])
        try inject([UInt8](repeating: 7, count: 4097), for: message)
        let error = try #require(throws: PinError(.failed)) { try decrypt(message) }
        #expect(error.detail.hasSuffix("holds more than the 4096 bytes allowed here"))
    }

    @Test func `another secret is refused`() throws {
        let message = try encrypt(["file": .string(file)])
        try inject([UInt8](repeating: 7, count: 32), for: message)
        #expect(throws: PinError(.refused)) { try decrypt(message) }
    }

    @Test func `a machine without the directory says what may be missing`() throws {
        let message = try encrypt(["file": .string(file)])
        try FileManager.default.removeItem(atPath: entries)
        let error = try #require(throws: PinError(.unavailable)) { try decrypt(message) }
        #expect(error.detail.hasSuffix("securityfs is not mounted, or the kernel lacks efi_secret"))
    }

    @Test func `a file that exists is never overwritten`() throws {
        try FileIO.create(file, Array("precious".utf8))
        #expect(throws: PinError(.failed)) { try encrypt(["file": .string(file)]) }
        #expect(try secret == Array("precious".utf8))
    }

    @Test(arguments: [
        (#"{}"#, "file: is missing"), (#"{"file":""}"#, "file: is not the name of a file"),
        (#"{"file":"x","mode":"key"}"#, "mode: must be passphrase, or left out"),
        (#"{"file":"x","guid":"00000000-0000-0000-0000-000000000000"}"#, "guid: must be a GUID in lower case"),
        (#"{"file":"x","guid":"736869E5-84f0-4973-92ec-06879ce3da0b"}"#, "guid: must be a GUID in lower case"),
        (#"{"file":"x","guid":"../../../../../../../../../etc/passwd00"}"#, "guid: must be a GUID in lower case"),
        (
            #"{"file":"x","guid":"0a1b2c3d-0000-4000-8000-0123456789ab","mode":"passphrase"}"#,
            "guid: cannot be chosen for a passphrase"
        ),
        (#"{"file":"x","more":1}"#, "unknown member more"),
    ])
    func `a configuration with anything else in it is malformed`(text: String, reason: String) throws {
        let error = try #require(throws: PinError(.malformed)) { _ = try encrypt(try JSON(parsing: text)) }
        #expect(error.detail.hasPrefix(reason), "\(error.detail)")
    }

    @Test(arguments: [
        #"{}"#, #"{"guid":"../../../../../../../../../etc/passwd00"}"#, #"{"guid":7}"#,
        #"{"guid":"0a1b2c3d-0000-4000-8000-0123456789ab","mode":"other"}"#,
        #"{"guid":"0a1b2c3d-0000-4000-8000-0123456789ab","more":1}"#,
    ])
    func `a header that names no entry is malformed, and nothing is removed for it`(text: String) throws {
        let header: JSONObject = ["clevis": ["pin": "sev-secret", "sev-secret": try JSON(parsing: text)]]
        let message = try JWE.encrypt(
            SecretBytes(copyingPublic: [1]), contentKey: SecretBytes(copyingPublic: [UInt8](repeating: 0, count: 32)),
            header: header)
        #expect(throws: PinError(.malformed)) { try decrypt(message) }
        #expect(registry.forget(message) == [PinError(.malformed)])
    }
}
