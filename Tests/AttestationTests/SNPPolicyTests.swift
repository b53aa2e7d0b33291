// SPDX-License-Identifier: Apache-2.0
import Attestation
import EvidenceVectors
import FileIO
import PinKit
import TEE
import Testing

private func text(_ byte: UInt8, _ count: Int) -> String { Base64URL.encode([UInt8](repeating: byte, count: count)) }

private func hex(_ byte: UInt8, _ count: Int) -> String { Hex.encode([UInt8](repeating: byte, count: count)) }

/// The smallest policy that the fake platforms meet, with the members of a JSON text put in.
private func policy(_ changes: String = "{}") throws -> SNPPolicy {
    var members: JSONObject = ["covers": ["firmware"], "measurement": [.string(text(0x4d, 48))]]
    for member in try #require(JSON(parsing: changes).object).members { members[member.name] = member.value }
    return try SNPPolicy(json: .object(members))
}

private typealias Change = @Sendable (inout FakePlatform) -> Void

private func put(_ field: SNPField, _ bytes: [UInt8]) -> Change { { field.put(bytes, into: &$0.report) } }

private func put(_ field: SNPField, _ byte: UInt8, _ count: Int) -> Change {
    put(field, [UInt8](repeating: byte, count: count))
}

private func set(_ field: SNPField, _ value: UInt64) -> Change { { $0[field] = value } }

private let unchanged: Change = { _ in }

/// Anchors of simulated Genoas and Turins.
private let anchors: TrustAnchors = {
    var anchors = TrustAnchors.amd
    for product in ["Genoa", "Turin"] {
        anchors = try! anchors.addingSimulated(
            ark: CertificateDraft.ark(product).der(), ask: CertificateDraft.ask(product).der(),
            asvk: CertificateDraft.asvk(product).der())
    }
    return anchors
}()

/// Genuine evidence of version 5 after `change`.
private func evidence(
    _ platform: FakePlatform = .genoa(version: 5), change: Change = unchanged
) throws -> GenuineSNP {
    var platform = platform
    change(&platform)
    return try SNPVerifier(anchors: anchors).verify(
        report: platform.signedReport(), certificates: platform.table(), at: FakePlatform.now)
}

/// A demand, evidence that meets it and evidence that does not, with the reason.
private struct Demand: Sendable, CustomTestStringConvertible {
    let member: String
    let reason: String
    let meets: Change
    let fails: Change

    init(_ member: String, _ reason: String, meets: @escaping Change = unchanged, fails: @escaping Change = unchanged) {
        self.member = member
        self.reason = reason
        self.meets = meets
        self.fails = fails
    }

    var testDescription: String { member }
}

/// Guest policies of ABI 1.55: the bit that is always set, SMT where not said otherwise, and what they are named after.
private let debug: UInt64 = 0xB_0137
private let migrate: UInt64 = 0x7_0137
private let debugAndMigrate: UInt64 = 0xF_0137
private let noSMT: UInt64 = 0x2_0137
private let cxl: UInt64 = 0x23_0137
private let singleSocket: UInt64 = 0x13_0137
private let singleSocketNoSwap: UInt64 = 0x213_0137

private let lowerSNP: [UInt8] = [10, 0, 0, 0, 0, 0, 22, 84]
private let higherMicrocode: [UInt8] = [10, 0, 0, 0, 0, 0, 23, 85]
private let chip: [UInt8] = (1...64).map { UInt8($0) }
private let otherChip: [UInt8] = (2...65).map { UInt8($0) }

@Suite struct PredicateTests {
    @Test func `the smallest policy asks for the measurement, VMPL 0, no debugging and no migration`() throws {
        let verdict = try policy().judge(evidence())
        #expect(verdict.accepted && verdict.reason.isEmpty && verdict.failed.isEmpty)
        #expect(verdict.predicates.map(\.name) == ["measurement", "vmpl", "debug", "migrate"])
    }

    @Test(arguments: software + host + platform)
    private func `each demand passes what meets it and says what does not`(demand: Demand) throws {
        let policy = try policy(demand.member)
        let good = try policy.judge(evidence(change: demand.meets))
        #expect(good.accepted, "\(good.reason)")
        let bad = try policy.judge(evidence(change: demand.fails))
        #expect(!bad.accepted)
        #expect(bad.reason == demand.reason)
        #expect(bad.predicates.map(\.name) == good.predicates.map(\.name))
    }

    private static let software: [Demand] = [
        Demand("{}", "measurement is \(hex(0x4e, 48)), not \(hex(0x4d, 48))", fails: put(.measurement, 0x4e, 48)),
        Demand(
            #"{"measurement":["\#(text(1, 48))","\#(text(2, 48))"]}"#,
            "measurement is \(hex(3, 48)), not one of the 2 in the policy",
            meets: put(.measurement, 2, 48), fails: put(.measurement, 3, 48)),
        Demand(
            #"{"id_key_digest":["\#(text(5, 48))"]}"#, "id_key_digest is \(hex(0, 48)), not \(hex(5, 48))",
            meets: put(.idKeyDigest, 5, 48)),
        Demand(
            #"{"author_key_digest":["\#(text(5, 48))"]}"#, "author_key_digest is absent, not \(hex(5, 48))",
            meets: {
                put(.authorKeyDigest, 5, 48)(&$0)
                set(.keyInfo, 1)(&$0)
            }, fails: put(.authorKeyDigest, 5, 48)),
        Demand(
            #"{"family_id":"\#(text(6, 16))"}"#, "family_id is \(hex(0, 16)), not \(hex(6, 16))",
            meets: put(.familyID, 6, 16)),
        Demand(
            #"{"image_id":"\#(text(6, 16))"}"#, "image_id is \(hex(0, 16)), not \(hex(6, 16))", meets: put(.imageID, 6, 16)
        ),
        Demand(#"{"guest_svn":4}"#, "guest_svn is 3, not at least 4", meets: set(.guestSVN, 4), fails: set(.guestSVN, 3)),
        Demand(
            #"{"host_data":"\#(text(7, 32))"}"#, "host_data is \(hex(0, 32)), not \(hex(7, 32))",
            meets: put(.hostData, 7, 32)),
        Demand(#"{"vmpl":2}"#, "vmpl is 0, not 2", meets: set(.vmpl, 2)),
        Demand("{}", "vmpl is 1, not 0", fails: set(.vmpl, 1)),
        Demand("{}", "vmpl is 4294967295, not 0", fails: set(.vmpl, 0xffff_ffff)),
    ]

    private static let host: [Demand] = [
        Demand("{}", "debug is on, not off", fails: set(.guestPolicy, debug)),
        Demand("{}", "migrate is on, not off", fails: set(.guestPolicy, migrate)),
        Demand(
            #"{"debug":true,"migrate":true}"#, "vmpl is 1, not 0", meets: set(.guestPolicy, debugAndMigrate),
            fails: set(.vmpl, 1)),
        Demand(#"{"smt":false}"#, "smt is on, not off", meets: set(.guestPolicy, noSMT)),
        Demand(
            #"{"smt":false}"#, "smt is on, not off", meets: set(.guestPolicy, noSMT),
            fails: {
                set(.guestPolicy, noSMT)(&$0)
                set(.platformInfo, 1)(&$0)
            }),
        Demand(#"{"cxl":false}"#, "cxl is on, not off", fails: set(.guestPolicy, cxl)),
        Demand(
            #"{"guest_policy":["single_socket","page_swap_disable"]}"#,
            "guest_policy is single_socket, not with single_socket, page_swap_disable",
            meets: set(.guestPolicy, singleSocketNoSwap), fails: set(.guestPolicy, singleSocket)),
        Demand(#"{"tio":false}"#, "tio is on, not off", fails: set(.platformInfo, 0x80)),
        Demand(#"{"abi":"1.56"}"#, "abi is 1.55, not at least 1.56", meets: set(.guestPolicy, 0x3_0138)),
        Demand(#"{"abi":"1.55"}"#, "abi is 0.255, not at least 1.55", fails: set(.guestPolicy, 0x3_00ff)),
    ]

    private static let platform: [Demand] = [
        Demand(#"{"product":["milan","genoa"]}"#, "vmpl is 1, not 0", fails: set(.vmpl, 1)),
        Demand(
            #"{"chip":["\#(Base64URL.encode(chip))"]}"#,
            "chip is \(Hex.encode(otherChip)), not \(Hex.encode(chip))",
            fails: {
                put(.chipID, otherChip)(&$0)
                $0.certificate[amd: "4"] = otherChip
            }),
        Demand(
            #"{"platform":["alias_check","ecc"]}"#, "platform is ecc, not with ecc, alias_check",
            meets: set(.platformInfo, 0x65), fails: set(.platformInfo, 0x45)),
        Demand(#"{"platform":["tsme"]}"#, "platform is nothing, not with tsme", meets: set(.platformInfo, 2)),
        Demand(
            #"{"tcb":{"genoa":"0a00000000001754","turin":"0103020500000061"}}"#,
            """
            tcb is 0a00000000001654 (bl 10, tee 0, snp 22, ucode 84), not at least 0a00000000001754 \
            (bl 10, tee 0, snp 23, ucode 84)
            """,
            fails: {
                put(.reportedTCB, lowerSNP)(&$0)
                $0.certificate[amd: "3.3"] = [2, 1, 22]
            }),
        Demand(
            #"{"tcb_committed":{"genoa":"0a00000000001755"}}"#,
            """
            tcb_committed is 0a00000000001754 (bl 10, tee 0, snp 23, ucode 84), not at least 0a00000000001755 \
            (bl 10, tee 0, snp 23, ucode 85)
            """,
            meets: {
                put(.committedTCB, higherMicrocode)(&$0)
                put(.currentTCB, higherMicrocode)(&$0)
            }),
        Demand(
            #"{"tcb_launch":{"genoa":"0a00000000001754"}}"#,
            """
            tcb_launch is 0a00000000001654 (bl 10, tee 0, snp 22, ucode 84), not at least 0a00000000001754 \
            (bl 10, tee 0, snp 23, ucode 84)
            """,
            fails: put(.launchTCB, lowerSNP)),
        Demand(
            #"{"tcb_current":{"genoa":"0a00000000001755"}}"#,
            """
            tcb_current is 0a00000000001754 (bl 10, tee 0, snp 23, ucode 84), not at least 0a00000000001755 \
            (bl 10, tee 0, snp 23, ucode 85)
            """,
            meets: put(.currentTCB, higherMicrocode)),
        Demand(
            #"{"firmware_current":"1.55.40"}"#, "firmware_current is 1.55.39, not at least 1.55.40",
            fails: set(.currentFirmware, 0x01_37_27)),
        Demand(
            #"{"firmware":"1.55.40"}"#, "firmware is 1.55.39, not at least 1.55.40",
            fails: set(.committedFirmware, 0x01_37_27)),
        Demand(
            #"{"mitigations":3}"#, "mitigations is 7 at launch and 2 now, not with all bits of 3", meets: mitigated(7, 3),
            fails: mitigated(7, 2)),
        Demand(
            #"{"mitigations":3}"#, "mitigations is absent, not with all bits of 3", meets: mitigated(3, 3),
            fails: set(.version, 3)),
    ]

    private static func mitigated(_ launch: UInt64, _ current: UInt64) -> Change {
        {
            $0[.launchMitigations] = launch
            $0[.currentMitigations] = current
        }
    }

    @Test func `a product that is not named is refused, by product and by TCB`() throws {
        let turin = try evidence(.turin())
        #expect(try policy(#"{"product":["milan","genoa"]}"#).judge(turin).reason == "product is turin, not milan or genoa")
        let minimum = #"{"tcb":{"milan":"0000000000000000","genoa":"0000000000000000"}}"#
        #expect(try policy(minimum).judge(turin).reason == "tcb is of a turin, not of a milan or genoa")
    }

    @Test func `a Turin's chip is named by its 8 bytes or by all 64`() throws {
        let turin = try evidence(.turin())
        for name in [Array(turin.report.chipID.prefix(8)), turin.report.chipID] {
            #expect(try policy(#"{"chip":["\#(Base64URL.encode(name))"]}"#).judge(turin).accepted)
        }
    }

    @Test func `a policy may ask for the chip's own key, or for the VLEK of a provider`() throws {
        let (vcek, vlek) = (try evidence(), try evidence(.vlek()))
        #expect(try policy(#"{"signing_key":["vcek"]}"#).judge(vcek).accepted)
        #expect(try policy(#"{"signing_key":["vcek"]}"#).judge(vlek).reason == "signing_key is vlek, not vcek")
        #expect(try policy(#"{"provider":["CN=a cloud","CN=another"]}"#).judge(vlek).accepted)
        #expect(try policy(#"{"provider":["CN=another"]}"#).judge(vlek).reason == "provider is CN=a cloud, not CN=another")
        #expect(try policy(#"{"provider":["CN=a cloud"]}"#).judge(vcek).reason == "provider is absent, not CN=a cloud")
    }

    @Test func `all that fails is told in one line`() throws {
        let verdict = try policy(#"{"guest_svn":9}"#).judge(evidence(change: set(.vmpl, 3)))
        #expect(verdict.reason == "guest_svn is 0, not at least 9; vmpl is 3, not 0")
        #expect(verdict.failed.map(\.name) == ["guest_svn", "vmpl"])
    }

    @Test func `the strictest policy accepts its report, and nothing that is changed`() throws {
        let rich: Change = {
            set(.platformInfo, 0x65)(&$0)
            set(.guestPolicy, singleSocket)(&$0)
            put(.hostData, 7, 32)(&$0)
            mitigated(3, 1)(&$0)
        }
        let policy = try SNPPolicy.strictest(accepting: [evidence(change: rich)], covers: [.firmware, .initrd])
        #expect(try policy.judge(evidence(change: rich)).accepted)
        #expect(try SNPPolicy(json: policy.json) == policy)
        #expect(try policy.judge(evidence()).failed.map(\.name) == ["host_data", "guest_policy", "platform", "mitigations"])
        let otherMachine: Change = {
            rich(&$0)
            put(.chipID, otherChip)(&$0)
            $0.certificate[amd: "4"] = otherChip
            set(.committedFirmware, 0x01_37_27)(&$0)
        }
        #expect(try policy.judge(evidence(change: otherMachine)).failed.map(\.name) == ["chip", "firmware"])
        let anyChip = try SNPPolicy.strictest(accepting: [evidence(change: rich)], covers: .initrd, anyChip: true)
        #expect(try anyChip.judge(evidence(change: otherMachine)).failed.map(\.name) == ["firmware"])
    }

    @Test func `a policy learnt from several accepts each of them, and nothing below the lowest`() throws {
        let all = try [
            evidence(), evidence(.turin()), evidence(.vlek()),
            evidence {
                put(.measurement, 9, 48)(&$0)
                put(.committedTCB, higherMicrocode)(&$0)
                put(.currentTCB, higherMicrocode)(&$0)
            },
        ]
        let policy = try SNPPolicy.strictest(accepting: all, covers: .everything)
        for one in all { #expect(policy.judge(one).accepted, "\(policy.judge(one).reason)") }
        #expect(policy.measurements.count == 2 && policy.products == [.genoa, .turin] && policy.chips.isEmpty)
        let lower = try evidence {
            put(.reportedTCB, lowerSNP)(&$0)
            $0.certificate[amd: "3.3"] = [2, 1, 22]
        }
        #expect(policy.judge(lower).failed.map(\.name) == ["tcb"])
    }

    @Test func `nothing is learnt from what nobody should ask for`() throws {
        let wrong = try [
            [], [evidence(change: set(.guestPolicy, debug))], [evidence(), evidence(change: set(.guestPolicy, migrate))],
            [evidence(), evidence(change: set(.vmpl, 1))],
        ]
        for reports in wrong {
            #expect(throws: EvidenceError(.refused)) {
                try SNPPolicy.strictest(accepting: reports, covers: .everything)
            }
        }
        #expect(throws: EvidenceError(.refused)) { try SNPPolicy.strictest(accepting: [evidence()], covers: []) }
    }

    private func mitigated(_ launch: UInt64, _ current: UInt64) -> Change { Self.mitigated(launch, current) }
}

/// Policies that the reader accepts, and such that it refuses: the published schema is held against the same ones
/// (Tests/Schemas/check.py).
private let cases: JSON = try! JSON(parsing: FileIO.read("\(Vectors.own)/snp-policies.json", limit: 1 << 20))

/// A policy that is refused, and the member at fault.
private struct Refused: Sendable, CustomTestStringConvertible {
    let place: String
    let policy: JSON

    var testDescription: String { "\(place): \(policy[place]?.canonical.prefix(60) ?? "missing")" }

    static let all = (cases["refused"]?.array ?? []).map { json in
        Refused(place: json["at"]?.string ?? "", policy: json["policy"] ?? .null)
    }
}

@Suite struct SNPPolicyJSONTests {
    @Test func `the cases are there`() {
        #expect(cases["accepted"]?.array?.count == 28 && Refused.all.count == 117)
    }

    @Test(arguments: cases["accepted"]?.array ?? [])
    func `what is read is written again`(json: JSON) throws {
        let policy = try SNPPolicy(json: json)
        #expect(try SNPPolicy(json: policy.json) == policy)
        // Nothing is written that was not read.
        for name in policy.json.object?.names ?? [] { #expect(json[name] != nil, "\(name)") }
    }

    @Test func `a policy with every member comes back to the letter`() throws {
        let full = try #require(cases["accepted"]?.array?[1])
        #expect(try SNPPolicy(json: full).json.canonical == full.canonical)
        let schema = try JSON(parsing: FileIO.read("\(Vectors.own)/../../docs/spec/policy.schema.json", limit: 1 << 20))
        let known = try #require(schema["properties"]?.object).names
        #expect(Set(full.object?.names ?? []).union(["reference", "reference_version"]) == Set(known))
    }

    @Test func `defaults are left out, and the text is fixed`() throws {
        let minimal =
            #"{"covers":["firmware"],"measurement":["TU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1NTU1N"]}"#
        let defaults = #"{"debug":false,"migrate":false,"smt":true,"cxl":true,"tio":true,"vmpl":0}"#
        #expect(try policy(defaults).json.canonical == minimal)
    }

    @Test func `a policy that names no software is malformed`() {
        let error = #expect(throws: JSONError.self) { try SNPPolicy(json: ["covers": ["firmware"]]) }
        #expect(error?.description == "policy: names no software: give measurement, id_key_digest or reference")
    }

    @Test func `coverage that is left out is full, and full coverage is left out`() throws {
        let full = try SNPPolicy(json: ["measurement": [.string(text(5, 48))]])
        #expect(full.covers == .everything && full.coversInitrd)
        let stated = try policy(#"{"covers":["cmdline","initrd","kernel","firmware"]}"#)
        #expect(stated.covers == .everything && stated.json["covers"] == nil)
        #expect(try !policy().coversInitrd)
        #expect(try policy(#"{"covers":["initrd"]}"#).coversInitrd)
    }

    @Test(arguments: Refused.all)
    private func `a policy that is not as specified is malformed, by the name of the member`(refused: Refused) throws {
        let error = #expect(throws: JSONError.self) { try SNPPolicy(json: refused.policy) }
        #expect(error?.description.contains(refused.place) == true, "\(String(describing: error))")
    }
}
