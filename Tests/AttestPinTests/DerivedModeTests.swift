// SPDX-License-Identifier: Apache-2.0
import AttestPin
import BrokerProtocol
import HTTPClient
import PinKit
import Synchronization
import TEE
import Testing

/// A chip whose firmware derives keys as AMD's does: from a root of its own, from what was selected of the guest, and never
/// for more than the guest and the platform are.
private final class FakeChip: KeyDeriver {
    private let root: UInt8
    private let guest: [UInt8]
    private let committed: TCBVersion
    private let count = Mutex(0)

    init(root: UInt8 = 1, measurement: UInt8 = 7, svn: UInt64 = 4, ucode: UInt8 = 84) {
        var report = [UInt8](repeating: 0, count: SNPReport.byteCount)
        SNPField.version.put(3, into: &report)
        SNPField.guestSVN.put(svn, into: &report)
        SNPField.guestPolicy.put(0x30000, into: &report)
        SNPField.vmpl.put(1, into: &report)
        SNPField.measurement.put([UInt8](repeating: measurement, count: 48), into: &report)
        SNPField.family.put([0x19], into: &report)
        SNPField.model.put([0x11], into: &report)
        SNPField.committedTCB.put([10, 0, 0, 0, 0, 0, 23, ucode], into: &report)
        self.root = root
        guest = report
        committed = TCBVersion([10, 0, 0, 0, 0, 0, 23, ucode])!
    }

    var calls: Int { count.withLock { $0 } }

    func report(before deadline: Deadline) throws(PinError) -> SNPReport { try! SNPReport(parsing: guest) }

    func derivedKey(_ selection: DerivedKeySelection, before deadline: Deadline) throws(PinError) -> SecretBytes {
        count.withLock { $0 += 1 }
        let report = try! SNPReport(parsing: guest)
        guard selection.guestSVN <= report.guestSVN, committed.isAtLeast(selection.tcb), selection.privilegeLevel >= 1 else {
            throw PinError(.refused, step: "derived key", detail: "INVALID_PARAM")
        }
        var material = [root, UInt8(selection.fields.rawValue), selection.privilegeLevel, UInt8(selection.guestSVN)]
        material += selection.tcb.bytes
        if selection.fields.contains(.measurement) { material += report.measurement }
        return SecretBytes(copyingPublic: Digest.sha256(material))
    }
}

@Suite struct DerivedModeTests {
    private func pin(_ chip: FakeChip) -> AttestPin {
        AttestPin(
            .snp, reporter: try! FakePlatform(), transport: BrokerNetwork(brokers: [:]), deriver: chip)
    }

    private func bind(_ configuration: JSON, on chip: FakeChip, secret: [UInt8] = [1, 2, 3]) throws -> JWE {
        let pin = pin(chip)
        let binding = try Binding(issuedAt: 1_790_000_000, owner: nil, registry: PinRegistry([pin]))
        return try pin.encryptor(for: configuration, in: binding).encrypt(SecretBytes(copyingPublic: secret))
    }

    private func recover(_ messages: [JWE], on chip: FakeChip) -> [Settled] { Settled.all(messages, by: pin(chip)) }

    @Test func `the guest that bound gets its secret back, and the header says what was selected`() throws {
        let message = try bind(["mode": "derived"], on: FakeChip())
        #expect(recover([message], on: FakeChip())[0].secret == [1, 2, 3])
        var parameters = try #require(message.parameters?.object)
        #expect(message.pin == "snp-attest" && message.header["alg"] == "dir")
        parameters["salt"] = nil
        #expect(
            JSON.object(parameters)
                == ["guest_svn": 4, "mode": "derived", "tcb": "0a00000000001754", "vmpl": 1])
    }

    @Test func `another chip, another guest, and an older platform do not`() throws {
        let message = try bind(["mode": "derived"], on: FakeChip())
        #expect(recover([message], on: FakeChip(root: 2))[0].error == PinError(.refused))
        #expect(recover([message], on: FakeChip(measurement: 8))[0].error == PinError(.refused))
        #expect(recover([message], on: FakeChip(svn: 3))[0].error == PinError(.refused))
        #expect(recover([message], on: FakeChip(ucode: 83))[0].error == PinError(.refused))
        #expect(recover([message], on: FakeChip(svn: 5, ucode: 85))[0].secret == [1, 2, 3], "a newer one does")
    }

    @Test func `configuration names what the report would say, and further fields`() throws {
        let chip = FakeChip()
        let message = try bind(
            ["mode": "derived", "fields": ["image_id", "family_id"], "guest_svn": 2, "tcb": "0900000000001750", "vmpl": 3],
            on: chip)
        #expect(message.parameters?["fields"] == ["family_id", "image_id"])
        #expect(message.parameters?["guest_svn"] == 2 && message.parameters?["tcb"] == "0900000000001750")
        #expect(recover([message], on: chip)[0].secret == [1, 2, 3])
    }

    @Test func `members that defaults bring in for the other mode are left aside, others are errors`() throws {
        let defaults: JSON = ["mode": "derived", "url": "https://b.example", "broker": [:], "policy": [:], "tls": "x"]
        #expect(throws: Never.self) { try bind(defaults, on: FakeChip()) }
        let wrong: [JSON] = [
            ["mode": "kbs"], ["mode": 1], ["mode": "derived", "fields": ["measurement"]], ["mode": "derived", "tcb": "00"],
            ["mode": "derived", "vmpl": 4], ["mode": "derived", "guest_svn": -1], ["mode": "derived", "more": 1],
        ]
        for configuration in wrong {
            #expect(throws: PinError(.malformed), "\(configuration)") { try bind(configuration, on: FakeChip()) }
        }
    }

    @Test func `a header that was changed opens nothing`() throws {
        let message = try bind(["mode": "derived"], on: FakeChip())
        let changes: [(String, JSON?)] = [
            ("guest_svn", 3), ("tcb", "0900000000001754"), ("vmpl", 2), ("fields", ["image_id"]), ("fields", []),
            ("salt", "AAAAAAAAAAAAAAAAAAAAAA"), ("salt", nil), ("tcb", nil), ("mode", "other"), ("tcb", "0A00000000001754"),
        ]
        for (name, value) in changes {
            var parameters = try #require(message.parameters?.object)
            parameters[name] = value
            var header = message.header
            header["clevis"] = ["pin": "snp-attest", "snp-attest": .object(parameters)]
            let text = Base64URL.encode(Array(JSON.object(header).canonical.utf8))
            let rest = message.compact.split(separator: ".", omittingEmptySubsequences: false).dropFirst()
            let changed = try JWE(compact: ([text] + rest.map(String.init)).joined(separator: "."))
            #expect(recover([changed], on: FakeChip())[0].secret == nil, "\(name)")
        }
    }

    @Test func `messages with one selection cost one call, and a bad one spoils no other`() throws {
        let chip = FakeChip()
        let messages = [
            try bind(["mode": "derived"], on: chip, secret: [1]), try bind(["mode": "derived"], on: chip, secret: [2]),
            try bind(["mode": "derived", "guest_svn": 1], on: chip, secret: [3]),
            try bind(["mode": "derived"], on: FakeChip(svn: 9), secret: [4]),
        ]
        let before = chip.calls
        let settled = recover(messages, on: chip)
        #expect(settled.map(\.secret) == [[1], [2], [3], nil])
        #expect(settled[3].error == PinError(.refused) && chip.calls == before + 3)
    }

    /// docs/spec/pins.md §7, made with another program.
    @Test func `the message of the specification opens`() throws {
        struct Constant: KeyDeriver {
            func report(before deadline: Deadline) throws(PinError) -> SNPReport { throw PinError(.unavailable) }
            func derivedKey(_ selection: DerivedKeySelection, before: Deadline) throws(PinError) -> SecretBytes {
                guard
                    selection
                        == DerivedKeySelection(
                            fields: [.guestPolicy, .measurement, .guestSVN, .tcb], privilegeLevel: 1, guestSVN: 4,
                            tcb: TCBVersion(hex: "0a00000000001754")!)
                else { throw PinError(.refused) }
                return SecretBytes(copyingPublic: Array(0..<32))
            }
        }
        let message = try JWE(
            compact: """
                eyJhbGciOiJkaXIiLCJjbGV2aXMiOnsicGluIjoic25wLWF0dGVzdCIsInNucC1hdHRlc3QiOnsiZ3Vlc3Rfc3ZuIjo0LCJtb2RlIjoiZGVy\
                aXZlZCIsInNhbHQiOiJBQUVDQXdRRkJnY0lDUW9MREEwT0R3IiwidGNiIjoiMGEwMDAwMDAwMDAwMTc1NCIsInZtcGwiOjF9fSwiZW5jIjoi\
                QTI1NkdDTSJ9..AAAAAAAAAAAAAAAA.cwRk89hRfG8.YcQFcmfyeG3YU_65h9jOlg
                """)
        let pin = AttestPin(
            .snp, reporter: try FakePlatform(), transport: BrokerNetwork(brokers: [:]), deriver: Constant())
        #expect(Settled.all([message], by: pin)[0].secret == Array("a secret".utf8))
    }
}
