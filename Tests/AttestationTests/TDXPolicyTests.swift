// SPDX-License-Identifier: Apache-2.0
import Attestation
import EvidenceVectors
import FileIO
import PinKit
import TEE
import Testing

private func text(_ byte: UInt8, _ count: Int) -> String { Base64URL.encode([UInt8](repeating: byte, count: count)) }

private func hex(_ byte: UInt8, _ count: Int) -> String { Hex.encode([UInt8](repeating: byte, count: count)) }

/// The smallest policy that the fake platform meets, with the members of a JSON text put in.
private func policy(_ changes: String = "{}") throws -> TDXPolicy {
    var members: JSONObject = ["covers": ["firmware"], "mrtd": [.string(text(0x4d, 48))]]
    for member in try #require(JSON(parsing: changes).object).members { members[member.name] = member.value }
    return try TDXPolicy(json: .object(members))
}

private typealias Change = @Sendable (inout FakeIntel) -> Void

private func put(_ field: TDXField, _ byte: UInt8) -> Change {
    { $0[field] = [UInt8](repeating: byte, count: field.range.count) }
}

/// SEPT_VE_DISABLE, and what else is given.
private func attributes(_ others: TDAttributes) -> Change {
    { TDXField.tdAttributes.put(others.union(.septVEDisable).rawValue, into: &$0.report) }
}

private let unchanged: Change = { _ in }

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

@Suite struct TDXPolicyTests {
    @Test func `a guest that meets the least policy is accepted, and every predicate is named`() throws {
        let verdict = try policy().judge(FakeIntel().verify())
        #expect(verdict.accepted, "\(verdict.reason)")
        #expect(verdict.predicates.map(\.name) == ["mrtd", "debug", "migrate", "sept_ve", "tcb_status", "advisories"])
    }

    @Test(arguments: demands)
    private func `a demand is met or says what it found`(demand: Demand) throws {
        let policy = try policy("{\(demand.member)}")
        var (good, bad) = (FakeIntel.version5(), FakeIntel.version5())
        demand.meets(&good)
        demand.fails(&bad)
        let met = try policy.judge(good.verify())
        #expect(met.accepted, "\(met.reason)")
        #expect(try policy.judge(bad.verify()).reason == demand.reason)
    }

    private static let demands: [Demand] = [
        Demand(
            "\"mrtd\":[\"\(text(1, 48))\",\"\(text(2, 48))\"]", "mrtd is \(hex(0x4d, 48)), not one of the 2 in the policy",
            meets: put(.mrTD, 2)),
        Demand(
            "\"rtmr3\":[\"\(text(0, 48))\"]", "rtmr3 is \(hex(7, 48)), not \(hex(0, 48))", fails: put(.rtmrs, 7)),
        Demand("\"rtmr1\":[\"\(text(7, 48))\"]", "rtmr1 is \(hex(0, 48)), not \(hex(7, 48))", meets: put(.rtmrs, 7)),
        Demand(
            "\"mrconfigid\":\"\(text(3, 48))\"", "mrconfigid is \(hex(0, 48)), not \(hex(3, 48))", meets: put(.mrConfigID, 3)
        ),
        Demand("\"mrowner\":\"\(text(3, 48))\"", "mrowner is \(hex(0, 48)), not \(hex(3, 48))", meets: put(.mrOwner, 3)),
        Demand(
            "\"mrownerconfig\":\"\(text(3, 48))\"", "mrownerconfig is \(hex(0, 48)), not \(hex(3, 48))",
            meets: put(.mrOwnerConfig, 3)),
        Demand(
            "\"mrservicetd\":[\"\(text(0, 48))\"]", "mrservicetd is \(hex(1, 48)), not \(hex(0, 48))",
            fails: put(.mrServiceTD, 1)),
        Demand(
            "\"mrseam\":[\"\(text(0x5e, 48))\"]", "mrseam is \(hex(1, 48)), not \(hex(0x5e, 48))", fails: put(.mrSEAM, 1)),
        Demand("\"fmspc\":[\"00806f050000\"]", "fmspc is b0c06f000000, not 00806f050000") {
            $0.sgx.fmspc = [0, 0x80, 0x6f, 5, 0, 0]
            $0.tcbInfo.fmspc = "00806F050000"
        },
        Demand(
            "\"ppid\":[\"\(text(0x9d, 16))\"]", "ppid is \(hex(1, 16)), not \(hex(0x9d, 16))",
            fails: {
                $0.sgx.ppid = [UInt8](repeating: 1, count: 16)
            }),
        Demand("\"pks\":false", "pks is on, not off", fails: attributes(.pks)),
        Demand("\"perfmon\":false", "perfmon is on, not off", fails: attributes(.perfmon)),
        Demand(
            "\"debug\":true", "debug is attribute bits 0x3, not on or off", meets: attributes(.debug),
            fails: attributes([.debug, TDAttributes(rawValue: 2)])),
        Demand("\"debug\":false", "debug is on, not off", fails: attributes(.debug)),
        Demand("\"migrate\":false", "migrate is on, not off", fails: attributes(.migratable)),
        Demand("\"sept_ve\":true", "sept_ve is enabled, not disabled", fails: put(.tdAttributes, 0)),
        Demand("\"tcb_evaluation\":19", "tcb_evaluation is 18, not at least 19", meets: { $0.tcbInfo.evaluation = 20 }),
        Demand(
            "\"tcb_status\":[\"UpToDate\",\"SWHardeningNeeded\"]",
            "tcb_status is ConfigurationNeeded, not UpToDate or SWHardeningNeeded",
            meets: { $0.tcbInfo.levels[0].status = "SWHardeningNeeded" },
            fails: { $0.tcbInfo.levels[0].status = "ConfigurationNeeded" }),
        Demand(
            "\"advisories\":[\"INTEL-SA-1\"]", "advisories is INTEL-SA-1, INTEL-SA-2, not none but INTEL-SA-1",
            meets: { $0.tcbInfo.levels[0].advisories = ["INTEL-SA-1"] },
            fails: { $0.tcbInfo.levels[0].advisories = ["INTEL-SA-2", "INTEL-SA-1"] }),
    ]

    @Test func `what is waived is not asked`() throws {
        let lax = try policy("{\"debug\":true,\"migrate\":true,\"sept_ve\":false}")
        var intel = FakeIntel()
        TDXField.tdAttributes.put(TDAttributes([.debug, .migratable]).rawValue, into: &intel.report)
        #expect(try lax.judge(intel.verify()).accepted)
        #expect(try policy().judge(intel.verify()).failed.map(\.name) == ["debug", "migrate", "sept_ve"])
    }

    @Test func `an out-of-date platform is refused unless status and advisories are named`() throws {
        var intel = FakeIntel()
        intel.sgx.components[0] = 2
        let genuine = try intel.verify()
        #expect(
            try policy().judge(genuine).reason == "tcb_status is OutOfDate, not UpToDate; "
                + "advisories is INTEL-SA-01036, INTEL-SA-01079, not none")
        #expect(try policy("{\"tcb_status\":[\"OutOfDate\"]}").judge(genuine).failed.map(\.name) == ["advisories"])
        let named = "{\"tcb_status\":[\"OutOfDate\"],\"advisories\":[\"INTEL-SA-01036\",\"INTEL-SA-01079\",\"INTEL-SA-9\"]}"
        #expect(try policy(named).judge(genuine).accepted)
    }

    @Test func `a report of TDX 1_0 has no service TDs to name`() throws {
        let verdict = try policy("{\"mrservicetd\":[\"\(text(0, 48))\"]}").judge(FakeIntel().verify())
        #expect(verdict.reason == "mrservicetd is absent, not \(hex(0, 48))")
    }

    @Test func `events of a register that is named are the policy's, all of them and no others`() throws {
        var intel = FakeIntel()
        let kernel = intel.extend(1, "EV_EFI_BOOT_SERVICES_APPLICATION", "kernel")
        let log = [intel.extend(0, "EV_ACTION", "anything"), kernel, intel.extend(1, "EV_SEPARATOR", "end")]
        let genuine = try intel.verify(eventLog: EventLog(events: log).encoded)
        let entry =
            "{\"rtmr\":1,\"type\":\"EV_EFI_BOOT_SERVICES_APPLICATION\",\"digest\":\"\(Base64URL.encode(kernel.digest))\"}"
        let separator = "{\"rtmr\":1,\"type\":\"EV_SEPARATOR\"}"
        #expect(try policy("{\"events\":[\(separator),\(entry)]}").judge(genuine).accepted)
        #expect(
            try policy("{\"events\":[\(entry)]}").judge(genuine).reason
                == "events is also EV_SEPARATOR with \(Hex.encode(log[2].digest)) in RTMR1, not the 1 in the policy")
        let other = "{\"rtmr\":1,\"type\":\"0x4321\"}"
        #expect(
            try policy("{\"events\":[\(entry),\(separator),\(other)]}").judge(genuine).reason
                == "events is without 0x4321 in RTMR1, not the 3 in the policy")
        #expect(
            try policy("{\"events\":[\(entry)]}").judge(intel.verify()).reason
                == "events is absent: there is no event log, not the 1 in the policy")
    }
}

@Suite struct TDXPolicyJSONTests {
    private static let full = """
        {"advisories":["INTEL-SA-01036"],"covers":["firmware","kernel"],"debug":true,\
        "events":[{"digest":"\(text(1, 48))","rtmr":1,"type":"EV_IPL"},{"rtmr":3,"type":"0x123"}],"fmspc":["b0c06f000000"],\
        "migrate":true,"mrconfigid":"\(text(2, 48))","mrowner":"\(text(3, 48))","mrownerconfig":"\(text(4, 48))",\
        "mrseam":["\(text(5, 48))"],"mrservicetd":["\(text(0, 48))"],"mrtd":["\(text(6, 48))","\(text(7, 48))"],\
        "perfmon":false,"pks":false,"ppid":["\(text(8, 16))"],"rtmr0":["\(text(9, 48))"],"rtmr1":["\(text(10, 48))"],\
        "rtmr2":["\(text(11, 48))"],"rtmr3":["\(text(0, 48))"],"sept_ve":false,"tcb_evaluation":18,\
        "tcb_status":["UpToDate","SWHardeningNeeded"]}
        """

    @Test func `a policy with every member is written as it was read`() throws {
        #expect(try TDXPolicy(json: JSON(parsing: Self.full)).json.canonical == Self.full)
    }

    @Test func `defaults are not written`() throws {
        let text = """
            {"covers":["firmware","kernel","initrd","cmdline"],"debug":false,"migrate":false,"mrtd":["\(text(6, 48))"],\
            "perfmon":true,"pks":true,"sept_ve":true,"tcb_status":["UpToDate"]}
            """
        let policy = try TDXPolicy(json: JSON(parsing: text))
        #expect(policy.json.canonical == "{\"mrtd\":[\"\(Self.digest)\"]}")
        #expect(try TDXPolicy(json: policy.json) == policy && policy.coversInitrd)
    }

    private static let digest = text(6, 48)

    @Test(arguments: [
        ("{}", "names no software: give mrtd"), ("{\"mrconfigid\":\"\(digest)\"}", "names no software"),
        ("{\"mrtd\":[]}", "mrtd: must hold 1 to 64"), ("{\"mrtd\":[\"\(text(0, 48))\"]}", "mrtd: holds only zero bytes"),
        ("{\"mrtd\":[\"\(text(1, 32))\"]}", "mrtd: must hold base64url without padding of 48 bytes"),
        ("{\"mrtd\":[\"\(digest)\",\"\(digest)\"]}", "each once"), ("{\"mrtd\":\"\(digest)\"}", "mrtd: must be an array"),
        ("{\"mrtd\":[\"\(digest)\"],\"rtmr4\":[\"\(digest)\"]}", "unknown member rtmr4"),
        ("{\"mrtd\":[\"\(digest)\"],\"covers\":[]}", "covers: must hold 1 to 64"),
        ("{\"mrtd\":[\"\(digest)\"],\"tcb_status\":[\"Revoked\"]}", "Revoked is not one of UpToDate"),
        ("{\"mrtd\":[\"\(digest)\"],\"tcb_status\":[]}", "tcb_status: must hold 1 to 64"),
        ("{\"mrtd\":[\"\(digest)\"],\"fmspc\":[\"B0C06F000000\"]}", "fmspc: must hold 12 hexadecimal digits"),
        ("{\"mrtd\":[\"\(digest)\"],\"tcb_evaluation\":-1}", "tcb_evaluation: must be from 0"),
        ("{\"mrtd\":[\"\(digest)\"],\"debug\":1}", "debug: must be true or false"),
        ("{\"mrtd\":[\"\(digest)\"],\"events\":[]}", "events: must hold 1 to 64 events"),
        ("{\"mrtd\":[\"\(digest)\"],\"events\":[{\"rtmr\":4,\"type\":\"EV_IPL\"}]}", "events[0].rtmr: must be from 0 to 3"),
        ("{\"mrtd\":[\"\(digest)\"],\"events\":[{\"rtmr\":1,\"type\":\"EV_X\"}]}", "EV_X is no event type"),
        ("{\"mrtd\":[\"\(digest)\"],\"events\":[{\"rtmr\":1,\"type\":\"0x0d\"}]}", "must be written EV_IPL"),
        ("{\"mrtd\":[\"\(digest)\"],\"events\":[{\"rtmr\":1,\"type\":\"0x03\"}]}", "must be written 0x3"),
        ("{\"mrtd\":[\"\(digest)\"],\"events\":[{\"rtmr\":1,\"type\":\"EV_IPL\",\"data\":1}]}", "unknown member data"),
    ])
    func `a policy that is not as specified is malformed`(text: String, problem: String) throws {
        let error = #expect(throws: JSONError.self) { try TDXPolicy(json: JSON(parsing: text)) }
        #expect(error.map { "\($0)".contains(problem) } == true, "\(String(describing: error))")
    }

    @Test func `the schema names the members that are written, and no others`() throws {
        let schema = try JSON(parsing: FileIO.read("\(Self.specification)/tdx-policy.schema.json", limit: 1 << 16))
        // A reference stands in place of measurements: no policy has all members.
        let names = try #require(JSON(parsing: Self.full).object).names + ["reference", "reference_version"]
        #expect(schema["properties"]?.object?.names.sorted() == names.sorted())
        let event = schema["properties"]?["events"]?["items"]?["properties"]
        #expect(event?.object?.names.sorted() == ["digest", "rtmr", "type"])
    }

    @Test func `the specification's example is a policy`() throws {
        let text = String(
            decoding: try FileIO.read("\(Self.specification)/tdx-policy.md", limit: 1 << 16), as: UTF8.self)
        let example = text.split(separator: "```", omittingEmptySubsequences: false).map(String.init).first {
            $0.contains("{")
        }
        let policy = try TDXPolicy(json: JSON(parsing: try #require(example)))
        #expect(policy.advisories == ["INTEL-SA-00828"] && policy.rtmrs[3] == [[UInt8](repeating: 0, count: 48)])
        #expect(policy.tcbStatuses == [.upToDate, .swHardeningNeeded] && policy.covers == .everything)
    }

    private static let specification = "\(Vectors.own)/../../docs/spec"

    @Test func `the strictest policy accepts its example, and no other guest`() throws {
        var intel = FakeIntel()
        _ = intel.extend(1, "EV_IPL", "kernel")
        put(.mrConfigID, 3)(&intel)
        let genuine = try intel.verify()
        let strictest = try #require(TDXPolicy.strictest(accepting: genuine, covers: .everything))
        #expect(strictest.judge(genuine).accepted)
        #expect(try TDXPolicy(json: strictest.json) == strictest)
        let changes: [(TDXField, String)] = [(.mrTD, "mrtd"), (.rtmrs, "rtmr0"), (.mrConfigID, "mrconfigid")]
        for (field, name) in changes {
            var other = intel
            other[field][0] ^= 1
            #expect(try strictest.judge(other.verify()).failed.map(\.name) == [name])
        }
        attributes(.debug)(&intel)
        #expect(try TDXPolicy.strictest(accepting: intel.verify(), covers: .everything) == nil)
    }
}
