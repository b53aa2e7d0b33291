// SPDX-License-Identifier: Apache-2.0
import Attestation
import EvidenceVectors
import FileIO
import PinKit
import TEE
import Testing

private func text(_ byte: UInt8, _ count: Int = 48) -> String {
    Base64URL.encode([UInt8](repeating: byte, count: count))
}

private let now: Int64 = FakePlatform.now

/// A set that the fake Genoa meets, with `changes`; nil takes a member away.
private func set(_ changes: [(String, JSON?)] = []) throws -> ReferenceSet {
    var members: JSONObject = [
        "name": "root-image", "version": 3, "iat": .integer(now - 10), "exp": .integer(now + 100 * 86_400),
        "covers": ["firmware", "kernel", "initrd", "cmdline"],
        "snp": ["measurement": [.string(text(1)), .string(text(0x4d))]],
    ]
    for (name, value) in changes { members[name] = value }
    return try ReferenceSet(json: .object(members))
}

private func genuine(_ change: (inout FakePlatform) -> Void = { _ in }) throws -> GenuineSNP {
    var platform = FakePlatform.genoa()
    change(&platform)
    let anchors = try TrustAnchors.amd.addingSimulated(ark: CertificateDraft.ark().der(), ask: CertificateDraft.ask().der())
    return try SNPVerifier(anchors: anchors).verify(
        report: platform.signedReport(), certificates: platform.table(), at: now)
}

@Suite struct ReferenceSetTests {
    private let policy = try! SNPPolicy(json: ["reference": "root-image", "reference_version": 2])

    @Test func `a policy accepts what the set it names has`() throws {
        let verdict = try policy.judge(genuine(), with: set(), at: now)
        #expect(verdict.accepted, "\(verdict.reason)")
        #expect(verdict.predicates.map(\.name) == ["reference", "measurement", "vmpl", "debug", "migrate"])
    }

    @Test func `software that is not in the set is refused with the set's values`() throws {
        let other = try genuine { SNPField.measurement.put([UInt8](repeating: 2, count: 48), into: &$0.report) }
        let verdict = try policy.judge(other, with: set(), at: now)
        #expect(
            verdict.reason
                == "measurement is \(Hex.encode([UInt8](repeating: 2, count: 48))), not one of the 2 in the policy")
    }

    @Test func `a set adds demands and takes none of the policy's away`() throws {
        let values: JSON = ["measurement": [.string(text(0x4d))], "guest_svn": 3, "tcb": ["genoa": "0a00000000001755"]]
        let verdict = try policy.judge(genuine { $0[.vmpl] = 1 }, with: set([("snp", values)]), at: now)
        #expect(verdict.failed.map(\.name) == ["guest_svn", "tcb", "vmpl"])
    }

    private static let problems: [(String, [(String, JSON?)])] = [
        ("root-image version 1", [("version", 1)]), ("other version 3, another set", [("name", "other")]),
        ("root-image version 3, expired on 2027-01-15T08:00:00Z", [("exp", .integer(now))]),
        ("root-image version 3, which covers firmware only", [("covers", ["firmware"])]),
    ]

    @Test func `a reference that does not hold says why, and no value of the set counts`() throws {
        for (problem, changes) in Self.problems {
            let verdict = try policy.judge(genuine(), with: set(changes), at: now)
            #expect(
                verdict.reason
                    == "reference is \(problem), not root-image version 2 or later, in force, covering firmware, kernel, initrd, cmdline"
            )
            #expect(!verdict.predicates.contains { $0.name == "measurement" })
        }
        let unknown = try policy.judge(genuine(), at: now)
        #expect(unknown.reason.hasPrefix("reference is unknown: the owner has signed no such set"))
        #expect(try policy.judge(genuine(), with: set([("exp", .integer(now + 1))]), at: now).accepted)
    }

    @Test func `a policy without a reference does not look at sets`() throws {
        let plain = try SNPPolicy(json: ["measurement": [.string(text(0x4d))]])
        #expect(try plain.judge(genuine(), with: set([("exp", .integer(now))]), at: now).accepted)
    }

    @Test func `what is read is written again`() throws {
        let full = try set([("snp", ["id_key_digest": [.string(text(1))], "mitigations": 3])])
        #expect(try ReferenceSet(json: full.json) == full)
    }

    private static let wrong: [(String, JSON?)] = [
        ("name", nil), ("name", ""), ("name", "a b"), ("version", nil), ("version", 0), ("version", "1"), ("iat", nil),
        ("iat", -1), ("exp", nil), ("exp", .integer(now - 10)), ("covers", nil), ("covers", []), ("snp", nil), ("snp", [:]),
        ("snp", ["guest_svn": 1]), ("snp", ["measurement": []]), ("snp", ["measurement": [.string(text(1))], "vmpl": 1]),
        ("snp", ["measurement": [.string(text(1))], "debug": true]), ("colour", "blue"),
    ]

    @Test(arguments: wrong)
    func `a member that is not as specified is malformed, by name`(name: String, value: JSON?) {
        let error = #expect(throws: JSONError.self) { try set([(name, value)]) }
        #expect(error?.description.contains(name) == true, "\(String(describing: error))")
    }

    @Test func `its end is told of two weeks before`() throws {
        let day: Int64 = 86_400
        let set = try set([("exp", .integer(now))])
        #expect(set.warning(at: now - 14 * day - 1) == nil)
        #expect(
            set.warning(at: now - 14 * day)
                == "reference values root-image version 3 expire in 14 days, on 2027-01-15T08:00:00Z: sign a new version")
        #expect(set.warning(at: now - day)?.contains("in 1 day,") == true)
        #expect(set.warning(at: now - 1)?.contains("within a day") == true)
        #expect(set.warning(at: now)?.contains("expired on") == true)
        #expect(set.isExpired(at: now) && !set.isExpired(at: now - 1))
    }
}

@Suite struct SignedReferenceSetTests {
    private let owner = try! SigningKey.generate()

    @Test func `a signed set is read, and its owner's`() throws {
        let signed = try SignedReferenceSet(set(), signedBy: owner)
        let read = try SignedReferenceSet(parsing: signed.compact)
        #expect(try read == signed && read.verified(by: owner.publicKey) == set())
        #expect(read.owner == owner.publicKey.thumbprint)
    }

    @Test func `another's signature is refused, whatever the header says`() throws {
        let other = try SigningKey.generate()
        let signed = try SignedReferenceSet(set(), signedBy: owner)
        #expect(throws: PinError(.refused)) { try signed.verified(by: other.publicKey) }
        // The header names the owner, the signature is another's.
        let forged = try SignedReferenceSet(set(), signedBy: other)
        let parts = signed.compact.split(separator: "."), foreign = forged.compact.split(separator: ".")
        let mixed = try SignedReferenceSet(parsing: "\(parts[0]).\(parts[1]).\(foreign[2])")
        #expect(throws: PinError(.refused)) { try mixed.verified(by: owner.publicKey) }
    }

    @Test func `each tampered character is refused`() throws {
        let text = Array(try SignedReferenceSet(set(), signedBy: owner).compact.utf8)
        for index in text.indices {
            var tampered = text
            tampered[index] = tampered[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            #expect(throws: PinError.self, "character \(index)") {
                try SignedReferenceSet(parsing: String(decoding: tampered, as: UTF8.self)).verified(by: owner.publicKey)
            }
        }
    }

    private func jws(header: String, payload: String) throws -> String {
        let input = [header, payload].map { Base64URL.encode(Array($0.utf8)) }.joined(separator: ".")
        return "\(input).\(Base64URL.encode(try owner.sign(Array(input.utf8))))"
    }

    @Test func `what could be written in two ways is malformed`() throws {
        let kid = owner.publicKey.thumbprint
        let header = #"{"alg":"ES256","kid":"\#(kid)","typ":"cvm-clevis-refvalues+jwt"}"#
        let payload = try set().json.canonical
        #expect(throws: Never.self) { try SignedReferenceSet(parsing: jws(header: header, payload: payload)) }
        let headers = [
            #"{"alg":"none","kid":"\#(kid)","typ":"cvm-clevis-refvalues+jwt"}"#,
            #"{"alg":"ES256","kid":"\#(kid)","typ":"JWT"}"#, #"{"alg":"ES256","typ":"cvm-clevis-refvalues+jwt"}"#,
            #"{"alg":"ES256","crit":["x"],"kid":"\#(kid)","typ":"cvm-clevis-refvalues+jwt"}"#,
            #"{"kid":"\#(kid)","alg":"ES256","typ":"cvm-clevis-refvalues+jwt"}"#, "{}", "", "[]",
        ]
        for other in headers {
            #expect(throws: PinError(.malformed), "\(other)") {
                try SignedReferenceSet(parsing: jws(header: other, payload: payload))
            }
        }
        for other in [try set().json.pretty, " " + payload, payload + " ", "{}", ""] {
            #expect(throws: PinError(.malformed)) { try SignedReferenceSet(parsing: jws(header: header, payload: other)) }
        }
        for text in ["", "..", "a.b", "a.b.c.d", String(repeating: "a", count: 1 << 17)] {
            #expect(throws: PinError(.malformed)) { try SignedReferenceSet(parsing: text) }
        }
    }

    @Test func `the test vector verifies`() throws {
        let vector = try JSON(parsing: FileIO.read("\(Vectors.own)/reference-values.json", limit: 1 << 16))
        let key = try PublicKey(jwk: try #require(vector["owner"]))
        let signed = try SignedReferenceSet(parsing: try #require(vector["jws"]?.string))
        #expect(try signed.verified(by: key) == ReferenceSet(json: try #require(vector["set"])))
        let input = Array(signed.compact.utf8.dropLast(87))
        #expect(Hex.encode(Digest.sha256(input)) == vector["sha256 of the signing input"]?.string)
    }
}
