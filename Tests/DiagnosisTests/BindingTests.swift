// SPDX-License-Identifier: Apache-2.0
import Diagnosis
import LUKS
import PinKit
import TangServer
import Testing

@Suite struct BindingTests {
    @Test func `a signed binding whose pin answers is fine`() throws {
        let (stage, server) = (try Stage(), try Tangd())
        try stage.bind("tang", server.configuration())
        let diagnosis = try stage.check()
        #expect(diagnosis.boots)
        #expect(diagnosis.summary == ["ok pin token 0: tang", "ok binding token 0", "ok boots"])
        #expect(diagnosis.findings.first?.description == "ok       header: is one that is opened")
        #expect(diagnosis.findings.last?.description == "ok       it would open by token 0")
    }

    @Test func `a volume without bindings stays closed`() throws {
        let diagnosis = try Stage().check()
        #expect(!diagnosis.boots)
        #expect(diagnosis.summary == ["fails binding", "fails boots"])
    }

    @Test func `an unsigned binding is a warning at home and fails where boot json wants a signature`() throws {
        let (stage, server) = (try Stage(), try Tangd())
        try stage.bind("tang", server.configuration(), signed: false)
        let home = try stage.check()
        #expect(home.boots)
        #expect(home.summary == ["warning unsigned token 0", "ok pin token 0: tang", "ok binding token 0", "ok boots"])
        let strict = try stage.check(stage.bootConfig(pins: ["tang"]))
        #expect(!strict.boots)
        #expect(strict.summary == ["fails untrusted token 0", "fails boots"])
        #expect(strict.text(.untrusted).contains("the binding has none, and an unsigned one is not allowed here; next: "))
        let lenient = try stage.check(stage.bootConfig(pins: ["tang"], unsigned: true))
        #expect(lenient.summary == ["ok pin token 0: tang", "ok binding token 0", "ok boots"])
    }

    @Test func `a binding by somebody else fails, and one that nobody can check is a warning`() throws {
        let (stage, server) = (try Stage(), try Tangd())
        try stage.bind("tang", server.configuration(), by: SigningKey.generate())
        #expect(try stage.check().summary == ["fails untrusted token 0", "fails boots"])
        let unknown = try stage.check(.owner(nil))
        #expect(unknown.summary == ["warning unchecked token 0", "ok pin token 0: tang", "ok binding token 0", "ok boots"])
    }

    @Test func `a pin that boot json does not allow fails before it is asked`() throws {
        let (stage, server) = (try Stage(), try Tangd())
        try stage.bind("tang", server.configuration())
        let diagnosis = try stage.check(stage.bootConfig(pins: ["snp-attest"]))
        #expect(diagnosis.summary == ["fails untrusted token 0", "fails boots"])
        #expect(diagnosis.text(.untrusted).contains("pin tang is not among those allowed: snp-attest"))
    }

    @Test func `a volume that boot json does not name fails`() throws {
        let stage = try Stage()
        try stage.bind("null")
        let diagnosis = try stage.check(stage.bootConfig(pins: ["null"], uuid: "00000000-0000-4000-8000-000000000000"))
        #expect(!diagnosis.boots)
        #expect(diagnosis.summary == ["fails volume header", "fails boots"])
    }

    @Test func `what an interrupted bind left is named with what removes it`() throws {
        let (stage, server) = (try Stage(), try Tangd())
        try stage.bind("tang", server.configuration())
        let complete = try #require(try stage.volume.bindings(registry: Stage.registry, owner: nil).first?.message)
        try stage.importToken(["type": "clevis", "keyslots": [], "jwe": complete.flattened], at: 4)
        let diagnosis = try stage.check()
        #expect(diagnosis.boots)
        #expect(diagnosis.summary.contains("warning orphaned-token token 4"))
        #expect(diagnosis.text(.orphanedToken).hasSuffix("; next: cvm-clevis luks repair -d \(stage.path)"))
        try stage.importToken(["type": "cvm-clevis-pending", "keyslots": []], at: 6)
        #expect(try stage.check().summary.contains("warning orphaned-token token 6"))
        let repaired = try stage.volume.repair()
        #expect(repaired.map(\.token) == [4, 6])
        #expect(try stage.check().text(.orphanedToken) == "no finding orphanedToken")
    }

    @Test func `a token that is no binding is unreadable, and one of another type is nobody's here`() throws {
        let stage = try Stage()
        try stage.bind("null")
        try stage.importToken(["type": "clevis", "keyslots": ["0"], "jwe": ["protected": "garbage"]], at: 3)
        try stage.importToken(["type": "somebody-elses", "keyslots": ["0"]], at: 5)
        let diagnosis = try stage.check()
        #expect(diagnosis.boots)
        #expect(
            diagnosis.summary.filter { !$0.hasSuffix("token 0") && !$0.contains("token 0:") } == [
                "fails unreadable-token token 3", "ok boots",
            ])
    }

    @Test func `a policy that anybody meets is a warning, and so is one that needs less than another`() throws {
        let (stage, server) = (try Stage(format: ["--luks2-metadata-size", "64k"]), try Tangd())
        let tang = try server.configuration()
        try stage.bind("sss", ["t": 2, "pins": ["tang": [tang, tang], "null": [[:]]]])
        try stage.bind("sss", ["t": 2, "pins": ["tang": [tang, tang]]])
        try stage.bind("sss", ["t": 1, "pins": ["null": [[:]], "tang": [tang]]])
        let warnings = try stage.check().findings.filter { $0.severity == .warning && $0.code != .keyslot }
        #expect(warnings.map { "\($0.code.rawValue) \($0.place)" } == ["unconditional token 2", "weaker token 0"])
        #expect(warnings.last?.text == "1 pin can open the volume, where token 1 needs 2")
    }

    @Test func `names from the disk cannot write to the terminal`() throws {
        let stage = try Stage()
        let name = "\u{1b}[31mred"
        let header: JSONObject = ["clevis": ["pin": .string(name), name: [:]]]
        let key = try SecretBytes.random(count: 32)
        let message = try JWE.encrypt(SecretBytes(copyingPublic: [1]), contentKey: key, header: header)
        try stage.importToken(["type": "clevis", "keyslots": ["0"], "jwe": message.flattened], at: 0)
        let diagnosis = try stage.check()
        #expect(!diagnosis.boots)
        #expect(diagnosis.summary.contains("fails unknown-pin token 0: ?[31mred"))
        #expect(diagnosis.findings.allSatisfy { !$0.description.unicodeScalars.contains("\u{1b}") })
    }
}
