// SPDX-License-Identifier: Apache-2.0
import Diagnosis
import LUKS
import PinKit
import TangServer
import Testing

@Suite struct HeaderTests {
    @Test func `a header that is not on the allow-list fails with what is wrong with it`() throws {
        let stage = try Stage(format: ["--cipher", "aes-cbc-essiv:sha256"])
        let diagnosis = try stage.check()
        #expect(!diagnosis.boots && diagnosis.uuid == nil)
        #expect(diagnosis.findings.map(\.code) == [.header, .boots])
        #expect(diagnosis.findings[0].text.contains("keyslot 0: key_size is 32, not 64"))
    }

    @Test func `there must be a LUKS2 volume to look at`() throws {
        let stage = try Stage()
        let other = Volume(try stage.folder.write("nothing", to: "other.img"))
        let check = VolumeCheck(
            demands: .owner(nil), registry: Stage.registry, probes: [], deadline: .after(milliseconds: 100))
        #expect(throws: LUKSError(.notLUKS2)) { try check.run(other) }
        #expect(throws: LUKSError(.unreadable)) { try check.run(Volume("\(stage.path).none")) }
    }

    @Test func `a passphrase that is quick to try is a warning, the keyslot of a binding is not`() throws {
        let weak = try Stage()
        try weak.bind("null")
        let found = try weak.check().findings.filter { $0.code == .keyslot }
        #expect(found.map(\.place) == ["keyslot 0"])
        #expect(found[0].text == "a passphrase in it is easy to guess: pbkdf2 with 1000 iterations, fewer than 600000")
        let memory = try Stage(format: ["--pbkdf", "argon2id", "--pbkdf-force-iterations", "4", "--pbkdf-memory", "1024"])
        #expect(try memory.check().text(.keyslot).contains("argon2id with 1024 KiB of memory, less than 65536"))
        let strong = try Stage(format: ["--pbkdf-force-iterations", "600000"])
        #expect(try strong.check().text(.keyslot) == "no finding keyslot")
    }

    @Test func `the answer for machines has this shape`() throws {
        let stage = try Stage(format: ["--pbkdf-force-iterations", "600000"])
        try stage.bind("null", ["fail": true])
        let uuid = try stage.volume.uuid()
        let expected: JSON = [
            "version": 1, "device": .string(stage.path), "uuid": .string(uuid), "boots": false,
            "findings": [
                ["severity": "ok", "code": "header", "place": "header", "text": "is one that is opened"],
                [
                    "severity": "warning", "code": "unconditional", "place": "token 0",
                    "text": "its policy is met by anybody: the pins that it needs may all be null",
                    "next": .string("cvm-clevis luks unbind -d \(stage.path) -s 1"),
                ],
                [
                    "severity": "fails", "code": "refused", "place": "token 0: null",
                    "text": "refused: decrypt: it was made to fail: its header holds no key", "next": "bind it anew",
                ],
                [
                    "severity": "fails", "code": "binding", "place": "token 0",
                    "text": "its policy would not be met: 1 of its 1 pins would fail",
                    "next": "mend what its pins say, or bind anew",
                ],
                ["severity": "fails", "code": "boots", "place": "", "text": "it would not open"],
            ],
        ]
        #expect(try stage.check().json == expected)
    }
}
