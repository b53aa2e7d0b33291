// SPDX-License-Identifier: Apache-2.0
import Attestation
import EvidenceVectors
import PinKit
import TEE
import Testing

private func text(_ byte: UInt8) -> String { Base64URL.encode([UInt8](repeating: byte, count: 48)) }

private let anchors = try! TrustAnchors.amd.addingSimulated(
    ark: CertificateDraft.ark().der(), ask: CertificateDraft.ask().der())

private let reviewer = EvidenceReviewer(snp: anchors)

/// The fake Genoa after `change`, as a file with its certificate, or without.
private func file(
    certified: Bool = true, _ change: (inout FakePlatform) -> Void = { _ in }
) throws -> EvidenceFile {
    var platform = FakePlatform.genoa()
    change(&platform)
    return try EvidenceFile(parsing: platform.signedReport() + (certified ? platform.table() : []))
}

private func wanted(_ text: String) throws -> EvidenceReviewer.Wanted {
    EvidenceReviewer.Wanted(try GuestPolicy(json: JSON(parsing: text)))
}

private let now = FakePlatform.now

@Suite struct EvidenceReviewTests {
    @Test func `genuine evidence that nobody asked anything of is accepted by the defaults of every policy`() throws {
        let review = reviewer.review(try file(), at: now)
        #expect(review.outcome == .accepted)
        #expect(review.steps.map(\.name) == ["genuine", "policy", "fresh"])
        #expect(review.steps.map(\.outcome) == [.accepted, .accepted, nil])
        #expect(review.predicates.map(\.name) == ["vmpl", "debug", "migrate"])
        #expect(review.warnings.contains { $0.contains("SIMULATOR") })
    }

    @Test func `a guest that can be debugged is refused without a policy, and by one that allows it accepted`() throws {
        let evidence = try file { $0[.guestPolicy] = 0xB_0137 }
        let review = reviewer.review(evidence, at: now)
        #expect(review.outcome == .refused && review.predicates.filter { !$0.holds }.map(\.name) == ["debug"])
        let policy = try wanted(#"{"measurement":["\#(text(0x4d))"],"debug":true}"#)
        #expect(reviewer.review(evidence, by: policy, at: now).outcome == .accepted)
    }

    @Test func `what is not genuine is refused, and is not judged further`() throws {
        let review = reviewer.review(try file { $0.key = .vlek }, at: now)
        #expect(review.outcome == .refused && review.predicates.isEmpty && review.steps.map(\.name) == ["genuine"])
        #expect(reviewer.review(try file(), at: 1_900_000_001).outcome == .refused)
    }

    @Test func `without its certificate nobody can tell, and with it beside the report anybody can`() throws {
        let bare = try file(certified: false)
        #expect(reviewer.review(bare, at: now).outcome == .undecided)
        let certificate = FakePlatform.genoa().certificate.der()
        let noise: [(name: String, bytes: [UInt8])] = [("a", [1, 2, 3]), ("b", FakePlatform.vlek().certificate.der())]
        let shelf = EvidenceReviewer(snp: anchors, certificates: noise + [("c", certificate)])
        #expect(shelf.review(bare, at: now).outcome == .accepted)
        // The right certificate, and a report that is not its key's.
        let forged = try file(certified: false) { $0.key = .vlek }
        #expect(shelf.review(forged, at: now).outcome == .refused)
    }

    @Test func `evidence is for the nonce that it was asked with, and for no other`() throws {
        let nonce: [UInt8] = [1, 2, 3, 4]
        let data = nonce + [UInt8](repeating: 0, count: 60)
        let evidence = try file { SNPField.reportData.put(data, into: &$0.report) }
        #expect(reviewer.review(evidence, for: .nonce(nonce), at: now).outcome == .accepted)
        #expect(reviewer.review(evidence, for: .reportData(data), at: now).outcome == .accepted)
        for other in [[1, 2, 3], [1, 2, 3, 4, 5], [2, 2, 3, 4]] as [[UInt8]] {
            let review = reviewer.review(evidence, for: .nonce(other), at: now)
            #expect(review.outcome == .refused && review.steps.last?.text.contains("another request") == true)
        }
        #expect(reviewer.review(evidence, for: .reportData(Array(data.reversed())), at: now).outcome == .refused)
    }

    @Test func `each demand that is not met is told with what was expected and what was found`() throws {
        let policy = try wanted(#"{"measurement":["\#(text(1))"],"guest_svn":2}"#)
        let review = reviewer.review(try file(), by: policy, at: now)
        let lines = review.text.split(separator: "\n").map(String.init)
        #expect(lines.first == "refused: a raw report with certificates, judged for 2027-01-15T08:00:00Z")
        #expect(lines.contains("  policy    no           2 of 5 demands are not met"))
        #expect(lines.contains("  NO  measurement  expected  \(String(repeating: "01", count: 48))"))
        #expect(lines.contains("                   found     \(String(repeating: "4d", count: 48))"))
        #expect(lines.contains("  ok  vmpl         0"))
        let failed = review.json["predicates"]?.array?.filter { $0["holds"] == false } ?? []
        #expect(failed.map { $0["predicate"]?.string } == ["measurement", "guest_svn"])
        #expect(failed.last?["expected"] == "at least 2" && failed.last?["actual"] == "0")
        #expect(review.json["outcome"] == "refused")
    }

    @Test func `reference values count, and their end is told of`() throws {
        let set = try ReferenceSet(json: [
            "name": "image", "version": 1, "iat": 0, "exp": .integer(now + 86_400), "covers": ["firmware"],
            "snp": ["measurement": [.string(text(0x4d))]],
        ])
        let policy = try GuestPolicy(json: ["covers": ["firmware"], "reference": "image"])
        let review = reviewer.review(
            try file(), by: EvidenceReviewer.Wanted(policy, references: set), at: now)
        #expect(review.outcome == .accepted && review.warnings.contains { $0.contains("expire in 1 day") })
        #expect(reviewer.review(try file(), by: EvidenceReviewer.Wanted(policy), at: now).outcome == .refused)
    }
}

@Suite struct TDXReviewTests {
    private let intel = FakeIntel()

    private func reviewer(collateral: Bool = true) -> EvidenceReviewer {
        EvidenceReviewer(snp: anchors, tdx: FakeIntel.anchors, collateral: collateral ? [intel.collateral()] : [])
    }

    @Test func `a quote is judged by collateral, and without it nobody can tell`() throws {
        let evidence = try EvidenceFile(parsing: intel.quote())
        let review = reviewer().review(evidence, at: FakeIntel.now)
        #expect(review.outcome == .accepted, "\(review.text)")
        #expect(
            review.predicates.map(\.name) == ["debug", "migrate", "sept_ve", "tcb_status", "advisories"])
        #expect(reviewer(collateral: false).review(evidence, at: FakeIntel.now).outcome == .undecided)
    }

    @Test func `a policy for another platform is refused`() throws {
        let quote = try EvidenceFile(parsing: intel.quote())
        let snp = try wanted(#"{"measurement":["\#(text(0x4d))"]}"#)
        let tdx = try wanted(#"{"mrtd":["\#(text(0x4d))"]}"#)
        #expect(reviewer().review(quote, by: tdx, at: FakeIntel.now).outcome == .accepted)
        #expect(reviewer().review(quote, by: snp, at: FakeIntel.now).outcome == .refused)
        #expect(reviewer().review(try file(), by: tdx, at: now).outcome == .refused)
    }

    @Test func `a TDX policy takes its measurements from the TDX values of a set`() throws {
        let set = try ReferenceSet(json: [
            "name": "image", "version": 1, "iat": 0, "exp": .integer(FakeIntel.now + 1000),
            "covers": ["firmware", "kernel", "initrd", "cmdline"],
            "snp": ["measurement": [.string(text(1))]],
            "tdx": ["mrtd": [.string(text(0x4d))], "rtmr1": [.string(text(0))], "tcb_evaluation": 1],
        ])
        #expect(try ReferenceSet(json: set.json) == set)
        let policy = try TDXPolicy(json: ["reference": "image"])
        #expect(try TDXPolicy(json: policy.json) == policy)
        let verdict = try policy.judge(intel.verify(), with: set, at: FakeIntel.now)
        #expect(verdict.accepted, "\(verdict.reason)")
        #expect(verdict.predicates.map(\.name).prefix(4) == ["reference", "mrtd", "rtmr1", "tcb_evaluation"])
        #expect(try policy.judge(intel.verify(), at: FakeIntel.now).failed.map(\.name) == ["reference"])
        #expect(throws: JSONError.self) { try TDXPolicy(json: ["reference": "image", "mrtd": [.string(text(1))]]) }
        let named = try GuestPolicy(json: ["reference": "image"], preferringTDX: true)
        #expect(named == .tdx(policy) && set.problem(for: named, at: FakeIntel.now) == nil)
        #expect(set.problem(for: named, at: FakeIntel.now + 1000)?.contains("expired") == true)
    }

    @Test func `a policy learnt from several quotes accepts each of them, and no other`() throws {
        var second = FakeIntel.version5()
        second[.mrTD] = [UInt8](repeating: 9, count: 48)
        second[.mrConfigID] = [UInt8](repeating: 3, count: 48)
        let all = try [intel.verify(), second.verify()]
        let policy = try TDXPolicy.strictest(accepting: all, covers: .everything)
        for one in all { #expect(policy.judge(one).accepted, "\(policy.judge(one).reason)") }
        #expect(policy.mrTDs.count == 2 && policy.mrConfigID == nil && policy.ppids.count == 1)
        second[.mrTD] = [UInt8](repeating: 8, count: 48)
        #expect(try policy.judge(second.verify()).failed.map(\.name) == ["mrtd"])
        second[.tdAttributes] = [1, 0, 0, 0x10, 0, 0, 0, 0]
        #expect(throws: EvidenceError(.refused)) {
            try TDXPolicy.strictest(accepting: [second.verify()], covers: .everything)
        }
    }
}

@Suite struct FactSheetTests {
    @Test func `a report is told field by field, digests in hexadecimal, flags by name, TCB by component`() throws {
        let evidence = try file {
            $0[.platformInfo] = 0x65
            $0[.guestPolicy] = 0x1B_0137
        }
        let text = try evidence.facts().text.split(separator: "\n").map(String.init)
        #expect(text.first == "SEV-SNP attestation report, version 3, Genoa")
        for line in [
            "measurement        \(String(repeating: "4d", count: 48))", "allows             smt, debug",
            "guest_policy       single_socket", "platform           smt, ecc, alias_check, 0x40", "abi                1.55",
            "tcb                0a00000000001754  bl 10, tee 0, snp 23, ucode 84", "id_key_digest      none",
            "firmware           1.55.40", "certificates       VCEK", "product            genoa",
        ] { #expect(text.contains("  \(line)"), "\(line)") }
        #expect(try evidence.facts().json["platform"]?["tcb"]?["ucode"] == 84)
    }

    @Test func `a quote is told the same way`() throws {
        let sheet = try EvidenceFile(parsing: FakeIntel.version5().quote()).facts()
        #expect(sheet.title == "TDX quote, version 5, of a guest of TDX 1.5")
        #expect(sheet.json["software"]?["mrtd"]?.string == String(repeating: "4d", count: 48))
        #expect(sheet.json["guest"]?["attributes"] == ["sept_ve_disable"])
    }

    @Test func `policies are explained, with what they do not ask for`() throws {
        let policy = try GuestPolicy(json: [
            "covers": ["firmware"], "measurement": [.string(text(1)), .string(text(2))], "debug": true,
            "tcb": ["genoa": "0a00000000001754"],
        ])
        let lines = policy.words.text.split(separator: "\n").map(String.init)
        #expect(
            lines.contains {
                $0.hasPrefix("  covers") && $0.hasSuffix("firmware, and NOT the initrd: the host can boot one of its own")
            })
        #expect(lines.contains { $0.hasSuffix("  or \(String(repeating: "02", count: 48))") })
        #expect(lines.contains { $0.hasSuffix("genoa: bl 10, tee 0, snp 23, ucode 84, each or higher") })
        #expect(lines.last?.contains("id_key_digest, author_key_digest") == true)
        #expect(policy.remarks.count == 2)
        let tdx = try GuestPolicy(json: ["mrtd": [.string(text(1))], "tcb_status": ["OutOfDate"], "sept_ve": false])
        #expect(tdx.remarks.count == 3 && tdx.platform == "TDX")
        #expect(tdx.words.json["software"]?["mrtd"] == [.string(String(repeating: "01", count: 48))])
    }
}
