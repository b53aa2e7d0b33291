// SPDX-License-Identifier: Apache-2.0
import FileIO
import Foundation
import LUKS
import PinKit
import Testing

/// A program that changes bindings is killed (SIGKILL, by strace) at each of its writes to the volume in turn: afterwards the
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

    @Test func `a replacement killed at any write leaves the old binding or the new one, and never neither`() throws {
        let old = try #require(try image(original).first?.seal?.id)
        var seen: Set<String> = []
        let writes = try killAtEachWrite("replace", of: original) { image, write in
            let before = try self.image(image)
            #expect(before.contains { $0.standing == .verified }, "write \(write)")
            let left = try image.volume.repair()
            let after = try self.image(image)
            try #require(after.count == 1 && after[0].standing == .verified, "write \(write): \(left)")
            seen.insert(after[0].seal?.id == old ? "before" : after[0].keyslots == [1] ? "after" : "after, elsewhere")
            #expect(try image.metadata()["keyslots"]?.object?.names.count == 2, "write \(write)")
            #expect(try image.volume.repair() == [], "write \(write)")
            try owner.unlock(image)
            // Work on it goes on; not after every write, which would take as long again.
            guard write.isMultiple(of: 5) else { return }
            let next = try owner.newBinding("null")
            let message = try #require(after[0].message)
            _ = try image.volume.replace(
                .keyslot(after[0].keyslots[0]), holding: message, with: next, passphrase: SecretBytes(DiskImage.password))
            #expect(try owner.unlock(image).keyslot == after[0].keyslots[0])
        }
        #expect(writes >= 54, "nine header changes of six writes each")
        #expect(seen == ["before", "after", "after, elsewhere"])
    }

    @Test func `a signature killed at any write is there or is not`() throws {
        let unsigned = try DiskImage()
        try owner.bind(unsigned, "null", signed: false)
        let trust = VolumeTrust(owner: owner.key.publicKey, unsigned: true)
        var seen: [BindingRecord.Standing] = []
        let writes = try killAtEachWrite("sign", of: unsigned, trust: trust) { image, write in
            #expect(try image.volume.repair() == [], "write \(write)")
            seen += try self.image(image).map(\.standing)
            #expect(seen.count == write)
        }
        #expect(writes >= 6, "one header change of six writes")
        #expect(seen.first == .unsigned && seen.last == .verified && Set(seen.map { "\($0)" }).count == 2)
    }

    private func image(_ image: DiskImage) throws -> [BindingRecord] {
        try image.volume.bindings(registry: owner.registry, owner: owner.key.publicKey)
    }

    @Test func `an unbind killed at any write leaves the volume open to what is left`() throws {
        try owner.bind(original, "null")
        var seen: Set<Int> = []
        let writes = try killAtEachWrite("unbind", of: original) { image, write in
            _ = try image.volume.repair()
            let after = try self.image(image)
            #expect(after.allSatisfy { $0.standing == .verified }, "write \(write)")
            #expect(try image.metadata()["keyslots"]?.object?.names.count == after.count + 1, "write \(write)")
            for record in after {
                _ = try image.volume.passphrase(
                    of: .token(record.token), trust: owner.trust, registry: owner.registry, deadline: .after(seconds: 10))
            }
            // Both answer at once where both are left: either may be the first.
            #expect(after.map(\.token).contains(try owner.unlock(image).token))
            seen.insert(after.count)
        }
        #expect(writes >= 18, "three header changes of six writes each")
        #expect(seen == [1, 2], "before, after")
    }

    /// Returns how many writes there were to kill; `check` sees the volume after each kill.
    private func killAtEachWrite(
        _ operation: String, of original: DiskImage, trust: VolumeTrust? = nil, check: (DiskImage, Int) throws -> Void
    ) throws -> Int {
        for write in 1... {
            let image = try original.copy()
            let status = try runKilled(at: write, operation, image)
            if status == 0 {
                try owner.unlock(image, trust: trust)
                return write - 1
            }
            try #require(status == 9, "killed by strace at write \(write), and nothing else")
            #expect(try image.opens(with: DiskImage.password, keyslot: 0), "write \(write)")
            try owner.unlock(image, trust: trust)
            try check(image, write)
        }
        return 0
    }

    /// The signal that ended the program, or its status.
    private func runKilled(at write: Int, _ operation: String, _ image: DiskImage) throws -> Int32 {
        let calls = "write,pwrite64,writev,pwritev"
        let strace = [
            "-f", "-qqq", "-o", "/dev/null", "-P", image.path, "-e", "trace=\(calls)",
            "-e", "inject=\(calls):signal=KILL:when=\(write)",
        ]
        return try run("/usr/bin/strace", strace + command(operation, image)).status
    }

    private func command(_ operation: String, _ image: DiskImage) -> [String] {
        [bindProgram, image.path, keyFile, DiskImage.password, operation]
    }

    /// Nothing but the volume, libcryptsetup's locks, and files without a name in memory: so no key can stay in any other.
    @Test(arguments: ["bind", "replace", "sign"]) func `no other file is opened for writing`(_ operation: String) throws {
        let image = try original.copy()
        let strace = ["-f", "-qqq", "-e", "trace=open,openat,openat2,creat", "-e", "signal=none"]
        let trace = try run("/usr/bin/strace", strace + command(operation, image))
        try trace.expectSuccess()
        let written = trace.errors.split(separator: "\n").filter { line in
            ["O_WRONLY", "O_RDWR", "O_CREAT", "creat("].contains { line.contains($0) }
        }
        let known = [image.path, "/run/cryptsetup", "/run/lock/cryptsetup", "/proc/self/fd/", "\"/dev/mapper/control\""]
        #expect(written.contains { $0.contains(image.path) })
        #expect(written.filter { line in !known.contains { line.contains($0) } } == [])
    }
}

/// Beside the bundle that holds these tests.
let bindProgram: String = {
    let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? CommandLine.arguments[0]
    return URL(fileURLWithPath: bundle).deletingLastPathComponent().appending(path: "luks-bind-crash").path
}()
