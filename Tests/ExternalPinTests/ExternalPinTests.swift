// SPDX-License-Identifier: Apache-2.0
import ExternalPin
import Foundation
import MemoryScan
import PinKit
import Testing

@Suite(.serialized) struct ExternalPinTests {
    // MARK: - What works

    @Test func `a pin of two programs encrypts and decrypts`() throws {
        let programs = try Programs()
        try programs.addPlain("plain")
        let message = try programs.encrypt("secret", "plain", ["b": 1, "a": "x y"])
        #expect(message.pin == "plain")
        #expect(try programs.text("configuration") == #"{"a":"x y","b":1}"#)
        #expect(try programs.decrypt(message) == "secret")
    }

    @Test func `it is a share of a threshold like any other`() throws {
        let programs = try Programs()
        try programs.addPlain("plain")
        let policy: JSON = ["t": 3, "pins": ["plain": [[:], [:]], "null": [:]]]
        #expect(try programs.decrypt(programs.encrypt("secret", "sss", policy)) == "secret")
    }

    @Test func `a message longer than a pipe gets through both ways`() throws {
        let programs = try Programs()
        try programs.add("clevis-decrypt-echo", "head -c 60000")
        let header = Base64URL.encode(Array(#"{"clevis":{"pin":"echo"}}"#.utf8))
        let body = String(repeating: "A", count: 200_000)
        let text = "\(header)..AAAAAAAAAAAAAAAA.\(body).AAAAAAAAAAAAAAAAAAAAAA"
        #expect(try programs.decrypt(JWE(compact: text)) == String(text.prefix(60_000)))
    }

    @Test func `a program need not read what it is told`() throws {
        let programs = try Programs()
        try programs.add("clevis-decrypt-deaf", "exec <&-; printf secret")
        let header = Base64URL.encode(Array(#"{"clevis":{"pin":"deaf"}}"#.utf8))
        let body = String(repeating: "A", count: 200_000)
        let message = try JWE(compact: "\(header)..AAAAAAAAAAAAAAAA.\(body).AAAAAAAAAAAAAAAAAAAAAA")
        #expect(try programs.decrypt(message) == "secret")
    }

    @Test func `it is given PATH and what is meant for it, and of this process nothing`() throws {
        let programs = try Programs()
        unsafe setenv("LEAK", "leak", 1)
        defer { unsafe unsetenv("LEAK") }
        let inherited = unsafe open("/dev/null", O_RDONLY)
        defer { close(inherited) }
        // `env` and `ls` are children of the script: it would also pass on what it has itself.
        try programs.add(
            "clevis-decrypt-look",
            #"""
            env >"$FOLDER/env"; ls /proc/self/fd >"$FOLDER/fd"; tr '\0' ' ' </proc/$$/cmdline >"$FOLDER/argv"
            grep -E '^Sig(Blk|Ign)' /proc/self/status >"$FOLDER/signals"; cut -d' ' -f5,6 /proc/$$/stat >"$FOLDER/ids"
            (: </dev/tty) 2>/dev/null && echo tty; echo $$
            """#)
        let number = try programs.decrypt(programs.message("look")).trimmingCharacters(in: .newlines)
        let environment = Set(try programs.text("env").split(separator: "\n").map { $0.split(separator: "=")[0] })
        #expect(environment == ["PATH", "FOLDER", "GREETING", "PWD"])
        // The fourth is the directory that ls itself reads.
        #expect(try programs.text("fd").split(separator: "\n").count == 4)
        #expect(try programs.text("argv") == "/bin/sh \(programs.folder)/clevis-decrypt-look ")
        // glibc's posix_spawn() itself has the two signals ignored that its threads use, 32 and 33.
        for line in try programs.text("signals").split(separator: "\n") {
            let signals = try #require(UInt64(line.suffix(16), radix: 16))
            #expect(signals & ~(3 << 31) == 0)
        }
        #expect(try programs.text("ids") == "\(number) \(number)\n")
    }

    // MARK: - What is found

    @Test(arguments: [
        "", "Foo", "a/b", "../plain", "-plain", "plain-", "plain.sh", "pla in", "plän", String(repeating: "a", count: 65),
    ])
    func `a name that is no name is not looked for`(name: String) throws {
        let programs = try Programs()
        try programs.addPlain("plain")
        #expect(programs.pins.pin(named: name) == nil)
        #expect(throws: PinError(.malformed)) { try programs.registry.pin(named: name) }
    }

    @Test func `relative and empty directories of PATH are left out, for the programs too`() throws {
        let programs = try Programs()
        try programs.add("clevis-decrypt-path", #"printf '%s' "$PATH""#)
        let pins = ExternalPins(path: ":.:bin:\(programs.folder)::/usr/bin")
        let pin = try #require(pins.pin(named: "path"))
        let run = Run(registry: programs.registry, deadline: .after(seconds: 30))
        let secret = try pin.decrypt(programs.message("path"), in: run)
        let isClean = secret.equals(SecretBytes(copyingPublic: Array("\(programs.folder):/usr/bin".utf8)))
        #expect(isClean)
        #expect(ExternalPins(path: "::.:bin").pin(named: "path") == nil)
    }

    @Test func `neither a folder nor a file that may not run is a program`() throws {
        let programs = try Programs()
        try FileManager.default.createDirectory(
            atPath: "\(programs.folder)/clevis-decrypt-folder", withIntermediateDirectories: false)
        try "#!/bin/sh".write(toFile: "\(programs.folder)/clevis-decrypt-text", atomically: false, encoding: .utf8)
        #expect(programs.pins.pin(named: "folder") == nil)
        #expect(programs.pins.pin(named: "text") == nil)
    }

    @Test func `a link to this very program is not a pin of others`() throws {
        let programs = try Programs()
        try FileManager.default.createSymbolicLink(
            atPath: "\(programs.folder)/clevis-decrypt-me", withDestinationPath: "/proc/self/exe")
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        try FileManager.default.createSymbolicLink(
            atPath: "\(programs.folder)/clevis-encrypt-me", withDestinationPath: own)
        #expect(programs.pins.pin(named: "me") == nil)
    }

    @Test func `a pin that is built in is never looked for`() throws {
        let programs = try Programs()
        try programs.add("clevis-encrypt-null", "exit 3")
        try programs.add("clevis-decrypt-null", "exit 3")
        #expect(try programs.decrypt(programs.encrypt("secret", "null")) == "secret")
    }

    @Test func `half a pin is unavailable`() throws {
        let programs = try Programs()
        try programs.add("clevis-encrypt-half", ":")
        let error = error { _ = try programs.decrypt(programs.message("half")) }
        #expect(error?.code == .unavailable)
        #expect(error?.description.contains("clevis-decrypt-half") == true)
    }

    @Test func `a file that the kernel cannot run is unavailable`() throws {
        let programs = try Programs()
        try programs.add("clevis-decrypt-broken", "")
        try "#!/no/such/interpreter\n".write(
            toFile: "\(programs.folder)/clevis-decrypt-broken", atomically: false, encoding: .utf8)
        let error = error { _ = try programs.decrypt(programs.message("broken")) }
        #expect(error?.code == .unavailable)
        #expect(error?.description.contains("No such file") == true)
    }

    // MARK: - What fails

    @Test func `a program that fails is quoted with the last line it said`() throws {
        let programs = try Programs()
        try programs.add("clevis-decrypt-sad", #"echo first >&2; printf 'no \033[31mluck\n\n' >&2; echo half; exit 7"#)
        let error = error { _ = try programs.decrypt(programs.message("sad")) }
        #expect(error?.description == "sad: failed: clevis-decrypt-sad: exit status 7: no ?[31mluck")
    }

    @Test func `a long line of errors is cut`() throws {
        let programs = try Programs()
        try programs.add("clevis-decrypt-long", "head -c 100000 /dev/zero | tr '\\0' x >&2; exit 1")
        let error = error { _ = try programs.decrypt(programs.message("long")) }
        #expect((error?.description.count ?? 0) < 300)
    }

    @Test func `a program that a signal ends is named with it`() throws {
        let programs = try Programs()
        try programs.add("clevis-decrypt-dead", "printf secret; kill -KILL $$")
        let error = error { _ = try programs.decrypt(programs.message("dead")) }
        #expect(error?.description == "dead: failed: clevis-decrypt-dead: ended by signal 9")
    }

    @Test func `endless output ends with the program killed`() throws {
        let programs = try Programs()
        for (name, script) in [("out", "exec yes"), ("errors", "exec yes >&2"), ("zero", "exec cat /dev/zero")] {
            try programs.add("clevis-decrypt-\(name)", "echo $$ >\"$FOLDER/\(name)\"; \(script)")
            let start = Date()
            let error = error { _ = try programs.decrypt(programs.message(name)) }
            #expect(error?.code == .failed)
            #expect(error?.detail.contains("more than") == true)
            #expect(Date().timeIntervalSince(start) < 5)
            #expect(try !isAlive(programs.text(name)))
        }
    }

    @Test func `nothing is no secret`() throws {
        let programs = try Programs()
        try programs.add("clevis-decrypt-nothing", "exit 0")
        #expect(throws: PinError(.failed)) { try programs.decrypt(programs.message("nothing")) }
    }

    @Test func `a message of another pin is not taken`() throws {
        let programs = try Programs()
        try programs.addPlain("liar", naming: "null")
        let error = error { _ = try programs.encrypt("secret", "liar") }
        #expect(error?.description == "liar: failed: clevis-encrypt-liar: its message is one of pin null, not liar")
    }

    @Test func `what is no message is not taken`() throws {
        let programs = try Programs()
        try programs.add("clevis-encrypt-prose", "echo hello")
        let error = error { _ = try programs.encrypt("secret", "prose") }
        #expect(error?.code == .failed)
        #expect(error?.description.contains("what it wrote is no message") == true)
    }

    // MARK: - What stays behind

    @Test func `a program that hangs is killed at the deadline with its children`() throws {
        let programs = try Programs()
        try programs.add(
            "clevis-decrypt-hang", #"sleep 600 & echo $! >"$FOLDER/child"; echo $$ >"$FOLDER/self"; echo stuck >&2; wait"#)
        let pin = try #require(programs.pins.pin(named: "hang"))
        let start = Date()
        let error = error {
            _ = try pin.decrypt(
                programs.message("hang"), in: Run(registry: programs.registry, deadline: .after(milliseconds: 500)))
        }
        #expect(Date().timeIntervalSince(start) < 5)
        #expect(error?.description == "unavailable: clevis-decrypt-hang: no answer before the deadline; killed: stuck")
        #expect(try !isAlive(programs.text("self")))
        #expect(try !isRunning(programs.text("child")))
    }

    @Test func `a program that encrypts has a deadline too`() throws {
        let programs = try Programs(encryptTimeout: 1)
        try programs.add("clevis-encrypt-hang", "cat; exec sleep 600")
        #expect(throws: PinError(.unavailable)) { try programs.encrypt("secret", "hang") }
    }

    @Test func `what a program leaves in the background holds nobody up, and is killed`() throws {
        let programs = try Programs()
        try programs.add("clevis-decrypt-fork", #"sleep 600 & echo $! >"$FOLDER/child"; printf secret"#)
        let start = Date()
        #expect(try programs.decrypt(programs.message("fork")) == "secret")
        #expect(Date().timeIntervalSince(start) < 5)
        #expect(try !isRunning(programs.text("child")))
    }

    @Test func `neither descriptors nor zombies are left`() throws {
        let programs = try Programs()
        try programs.addPlain("plain")
        try programs.add("clevis-decrypt-sad", #"echo $$ >"$FOLDER/self"; exit 1"#)
        let message = try programs.encrypt("secret", "plain")
        let before = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
        for _ in 0..<20 {
            #expect(try programs.decrypt(message) == "secret")
            #expect(throws: PinError(.failed)) { try programs.decrypt(programs.message("sad")) }
            #expect(try !isAlive(programs.text("self")))
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count <= before)
    }

    @Test func `neither encrypting nor decrypting leaves a piece of the secret in memory`() throws {
        let programs = try Programs()
        try programs.addPlain("plain")
        let registry = programs.registry
        let canary = try Canary()
        for _ in 0..<4 {
            // A message that shows its secret would be found; this one keeps it in a file.
            try programs.add("clevis-encrypt-file", #"cat >"$FOLDER/kept"; cat "$FOLDER/message""#)
            try programs.add("clevis-decrypt-file", #"cat "$FOLDER/kept""#)
            try programs.message("file").compact.write(
                toFile: "\(programs.folder)/message", atomically: false, encoding: .utf8)
            let binding = try Binding(issuedAt: 0, owner: nil, registry: registry)
            let encryptor = try registry.encryptor(named: "file", for: [:], in: binding)
            let message = try encryptor.encrypt(canary.reveal())
            let recovered = try PolicyWalk(registry: registry, deadline: .after(seconds: 30)).recover(message)
            let isEqual = recovered.equals(canary.reveal())
            #expect(isEqual)
        }
        #expect(try canary.residues() == 0)
    }

    @Test func `ending kills what runs and starts nothing more`() async throws {
        await #expect(processExitsWith: .success) {
            let programs = try Programs()
            try programs.add("clevis-decrypt-hang", #"echo $$ >"$FOLDER/self"; exec sleep 600"#)
            let message = try programs.encrypt("secret", "sss", ["pins": ["null": [:]]])
            #expect(try programs.decrypt(message) == "secret")
            let registry = programs.registry
            let hanging = try programs.message("hang")
            let run = Run(registry: registry, deadline: .after(seconds: 60))
            Thread.detachNewThread { _ = try? registry.pin(named: "hang").decrypt(hanging, in: run) }
            while (try? programs.text("self"))?.hasSuffix("\n") != true { usleep(10_000) }
            RunningGroups.end()
            while try isAlive(programs.text("self")) { usleep(10_000) }
            #expect(throws: PinError(.unavailable)) { try programs.decrypt(programs.message("hang")) }
        }
    }
}

/// Whether a process still runs a while after it was killed. Its parent is not this process: whoever adopted it reaps it in
/// its own time, so a zombie counts as ended.
private func isRunning(_ text: String) throws -> Bool {
    let number = text.trimmingCharacters(in: .whitespacesAndNewlines)
    for _ in 0..<200 {
        guard let status = try? String(contentsOfFile: "/proc/\(number)/stat", encoding: .utf8) else { return false }
        if status.contains(") Z ") { return false }
        usleep(10_000)
    }
    return true
}
