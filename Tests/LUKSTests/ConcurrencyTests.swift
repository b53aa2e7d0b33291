// SPDX-License-Identifier: Apache-2.0
import FileIO
import Foundation
import LUKS
import PinKit
import Testing

/// Twenty programs change one volume at the same time.
@Suite struct ConcurrencyTests {
    let owner: Owner
    let keyFile: String
    /// With room for twenty bindings, which a default header does not have.
    let image: DiskImage

    init() throws {
        owner = try Owner()
        image = try DiskImage(format: ["--luks2-metadata-size", "128k"])
        keyFile = image.folder.appending(path: "owner.pem").path
        try FileIO.createSecret(keyFile, owner.key.pem())
    }

    @Test func `twenty binds at once all succeed or say busy, and none leaves anything behind`() throws {
        let results = try runAtOnce(Array(repeating: "bind", count: 20))
        let bound = try check(results)
        #expect(bound.count == results.filter { $0.status == 0 }.count)
        #expect(bound.count > 1)
        #expect(Set(bound.compactMap(\.seal?.id)).count == bound.count)
    }

    @Test func `binds and replacements at once do not undo each other`() throws {
        try owner.bind(image, "null")
        let results = try runAtOnce((0..<20).map { $0.isMultiple(of: 2) ? "bind" : "replace" })
        let bound = try check(results)
        let binds = results.enumerated().filter { $0.offset.isMultiple(of: 2) && $0.element.status == 0 }
        #expect(bound.count == 1 + binds.count)
    }

    /// Starts all before it waits for any.
    private func runAtOnce(_ operations: [String]) throws -> [(status: Int32, said: String)] {
        let started = try operations.map { operation in
            let process = Process()
            process.executableURL = URL(fileURLWithPath: bindProgram)
            process.arguments = [image.path, keyFile, DiskImage.password, operation]
            let said = Pipe()
            process.standardError = said
            try process.run()
            return (process, said)
        }
        return try started.map { process, said in
            let text = String(decoding: try said.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
            process.waitUntilExit()
            return (process.terminationStatus, text)
        }
    }

    /// Every failure says busy; every keyslot but the passphrase's has exactly one token, which is complete and opens it.
    private func check(_ results: [(status: Int32, said: String)]) throws -> [BindingRecord] {
        for result in results where result.status != 0 {
            #expect(result.status == 1 && result.said.contains(": busy: "), "\(result)")
        }
        let bound = try image.volume.bindings(registry: owner.registry, owner: owner.key.publicKey)
        #expect(bound.allSatisfy { $0.standing == .verified })
        let keyslots = try #require(try image.metadata()["keyslots"]?.object?.names.compactMap { Int($0) })
        #expect(bound.flatMap(\.keyslots).sorted() == keyslots.filter { $0 != 0 }.sorted())
        for record in bound {
            _ = try image.volume.passphrase(
                of: .token(record.token), trust: owner.trust, registry: owner.registry, deadline: .after(seconds: 10))
        }
        #expect(try image.opens(with: DiskImage.password, keyslot: 0))
        #expect(try image.volume.repair() == [])
        return bound
    }
}
