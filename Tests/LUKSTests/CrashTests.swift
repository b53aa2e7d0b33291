// SPDX-License-Identifier: Apache-2.0
import FileIO
import Foundation
import LUKS
import PinKit
import Testing

/// A program that binds or unbinds is killed (SIGKILL, by strace) at each of its writes to the volume in turn: afterwards the
/// volume opens with all that opened it before, and work on it goes on.
@Suite struct CrashTests {
    let owner: Owner
    let keyFile: String
    /// With one binding: token 0, keyslot 1.
    let original: DiskImage

    init() throws {
        owner = try Owner()
        original = try DiskImage()
        keyFile = original.folder.appending(path: "owner.pem").path
        try FileIO.createSecret(keyFile, owner.key.pem())
        try owner.bind(original, "null")
    }

    @Test func `a bind killed at any write leaves the volume open to what opened it`() throws {
        var seen: Set<String> = []
        let writes = try killAtEachWrite("bind", of: original) { image, write in
            let standings = try image.volume.bindings(registry: owner.registry, owner: owner.key.publicKey).map(\.standing)
            #expect(standings.first == .verified && standings.count <= 2, "write \(write)")
            seen.insert(standings.dropFirst().map { "\($0)" }.joined())
            // A repair brings the volume to before or after; the old binding still opens, and a new one can be made.
            let left = try image.volume.repair()
            let repaired = try image.volume.bindings(registry: owner.registry, owner: owner.key.publicKey)
            #expect(repaired.count == standings.count - left.count && repaired.allSatisfy { $0.standing == .verified })
            #expect(try image.metadata()["keyslots"]?.object?.names.count == repaired.count + 1, "write \(write)")
            try owner.unlock(image)
            #expect(try owner.bind(image, "null").token == repaired.count, "write \(write)")
        }
        #expect(writes >= 18, "three header changes of six writes each")
        #expect(seen == ["", "bad", "verified"], "before, in between, after")
    }

    @Test func `an unbind killed at any write leaves the volume open to what is left`() throws {
        try owner.bind(original, "null")
        let writes = try killAtEachWrite("unbind", of: original) { image, _ in
            if try image.volume.repair().isEmpty, try image.volume.bindings(registry: owner.registry, owner: nil).count == 2
            {
                try image.volume.unbind(.token(1))
            }
            #expect(try image.metadata()["keyslots"]?.object?.names.sorted() == ["0", "1"])
            #expect(try owner.unlock(image).token == 0)
        }
        #expect(writes >= 12, "two header changes of six writes each")
    }

    /// Returns how many writes there were to kill; `check` sees the volume after each kill.
    private func killAtEachWrite(
        _ operation: String, of original: DiskImage, check: (DiskImage, Int) throws -> Void
    ) throws -> Int {
        for write in 1... {
            let image = try original.copy()
            let status = try runKilled(at: write, operation, image)
            if status == 0 {
                try owner.unlock(image)
                return write - 1
            }
            try #require(status == 9, "killed by strace at write \(write), and nothing else")
            #expect(try image.opens(with: DiskImage.password, keyslot: 0), "write \(write)")
            try owner.unlock(image)
            try check(image, write)
        }
        return 0
    }

    /// The signal that ended the program, or its status.
    private func runKilled(at write: Int, _ operation: String, _ image: DiskImage) throws -> Int32 {
        let calls = "write,pwrite64,writev,pwritev"
        let strace = [
            "-f", "-qqq", "-o", "/dev/null", "-P", image.path, "-e", "trace=\(calls)",
            "-e", "inject=\(calls):signal=KILL:when=\(write)", program, image.path, keyFile, DiskImage.password, operation,
        ]
        return try run("/usr/bin/strace", strace).status
    }

    /// Beside the bundle that holds these tests.
    private var program: String {
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? CommandLine.arguments[0]
        return URL(fileURLWithPath: bundle).deletingLastPathComponent().appending(path: "luks-bind-crash").path
    }
}
