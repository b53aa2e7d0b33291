// SPDX-License-Identifier: Apache-2.0
import Attestation
import Broker
import BrokerProtocol
import Foundation
import PinKit
import TEE
import TEESimulator
import Testing

/// VCEKs that evidence comes without, asked for at a key service that counts.
@Suite struct EndorsementDeskTests {
    let vendor: FakeVendor
    let scratch: TemporaryDirectory
    let store: Store
    let metrics = Metrics()

    init() throws {
        vendor = try FakeVendor()
        scratch = try TemporaryDirectory()
        store = try Store(at: scratch.path + "/broker.sqlite")
    }

    /// As after a start: with nothing in memory.
    private func desk(at now: Int64? = nil) throws -> EndorsementDesk {
        let pem = Dictionary(uniqueKeysWithValues: SimulatedTrust.files.map { ($0.0, Array($0.1.utf8)) })
        let anchors = try TrustAnchors.amd.addingSimulated(
            ark: pem["ark.pem"] ?? [], ask: pem["ask.pem"] ?? [], asvk: pem["asvk.pem"] ?? [])
        let moment = now ?? systemSeconds()
        return EndorsementDesk(
            verifier: SNPVerifier(anchors: anchors), store: store, service: try AMDKeyService(vendor.url), metrics: metrics,
            clock: { moment })
    }

    @Test func `ten thousand guests on 500 chips ask AMD 500 times`() async throws {
        var reports: [SNPReport] = []
        for number in 0..<500 {
            let chip = try SimulatedSNP.numbered(number)
            try vendor.add(chip)
            reports.append(try chip.anyReport())
        }
        let desk = try desk()
        let all = reports
        let outcomes = await withTaskGroup(of: EndorsementDesk.Outcome.self) { group in
            for guest in 0..<10_000 {
                group.addTask { await desk.obtain(for: all[guest % 500], patience: .seconds(120)) }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.count == 10_000 && outcomes.allSatisfy { $0 == .present })
        #expect(try vendor.asked().count == 500)
        #expect(try Set(vendor.asked()).count == 500)
        for report in reports { #expect(desk.certificate(for: report) != nil) }
        await desk.close()
    }

    @Test func `what was found outlives the broker in its store`() async throws {
        let chip = try SimulatedSNP.numbered(1)
        try vendor.add(chip)
        let first = try desk()
        #expect(await first.obtain(for: try chip.anyReport(), patience: .seconds(120)) == .present)
        let second = try desk()
        #expect(await second.obtain(for: try chip.anyReport(), patience: .seconds(120)) == .present)
        #expect(second.certificate(for: try chip.anyReport()) == chip.endorsementDER)
        #expect(try vendor.asked().count == 1)
    }

    @Test func `the address names chip and patch levels as AMD documents it`() async throws {
        let chip = try SimulatedSNP.numbered(1)
        _ = try await desk().obtain(for: chip.anyReport(), patience: .seconds(120))
        let tcb = try chip.anyReport().reportedTCB.bytes
        let level = { (byte: UInt8) in byte < 10 ? "0\(byte)" : "\(byte)" }
        #expect(
            try vendor.asked() == [
                "/vcek/v1/Genoa/\(Hex.encode(chip.settings.chip))?blSPL=\(level(tcb[0]))&teeSPL=\(level(tcb[1]))"
                    + "&snpSPL=\(level(tcb[6]))&ucodeSPL=\(level(tcb[7]))"
            ])
    }

    @Test func `what AMD does not have is not asked for again for a day, by a new process neither`() async throws {
        let chip = try SimulatedSNP.numbered(1)
        let report = try chip.anyReport()
        let now = systemSeconds()
        for _ in 0..<3 { #expect(try await desk(at: now).obtain(for: report, patience: .seconds(120)) == .absent) }
        #expect(try vendor.asked().count == 1)
        try vendor.add(chip)
        #expect(try await desk(at: now + 86_399).obtain(for: report, patience: .seconds(120)) == .absent)
        #expect(try await desk(at: now + 86_401).obtain(for: report, patience: .seconds(120)) == .present)
        #expect(try vendor.asked().count == 2)
    }

    @Test func `a report that does not say its product is looked for among Milans, then Genoas`() async throws {
        let chip = try SimulatedSNP.numbered(1, version: 2)
        try vendor.add(chip)
        #expect(try await desk().obtain(for: chip.anyReport(), patience: .seconds(120)) == .present)
        #expect(try vendor.asked().map { $0.contains("/Milan/") } == [true, false])
    }

    @Test func `a busy key service is left alone as long as it wants, and asked again`() async throws {
        let desk = try desk()
        try vendor.set("busy", true)
        var reports: [SNPReport] = []
        for number in 0..<20 {
            let chip = try SimulatedSNP.numbered(number)
            try vendor.add(chip)
            reports.append(try chip.anyReport())
        }
        let start = ContinuousClock.now
        for report in reports {
            let outcome = await desk.obtain(for: report, patience: .milliseconds(20))
            guard case .unknown = outcome else { throw Missing(what: "no answer yet, not \(outcome)") }
        }
        // All at a time would have been 20. Four connections may each have been on their way, and it wants to be left alone for a
        // second at a time.
        let seconds = Int((ContinuousClock.now - start).components.seconds)
        #expect(try (1...8 + 4 * seconds).contains(vendor.asked().count))
        try vendor.set("busy", false)
        for report in reports { #expect(await desk.obtain(for: report, patience: .seconds(120)) == .present) }
    }

    @Test func `what is not genuine is neither believed nor kept`() async throws {
        let chip = try SimulatedSNP.numbered(1)
        let report = try chip.anyReport()
        try vendor.set("lying", true)
        let outcome = try await desk().obtain(for: report, patience: .milliseconds(500))
        guard case .unknown = outcome else { throw Missing(what: "no answer, not \(outcome)") }
        // Another chip's, which is genuine but not this one's.
        try vendor.add(SimulatedSNP.numbered(2), as: chip.settings.chip)
        try vendor.set("lying", false)
        let second = try desk()
        let wrong = await second.obtain(for: report, patience: .milliseconds(500))
        guard case .unknown = wrong else { throw Missing(what: "no answer, not \(wrong)") }
        #expect(second.certificate(for: report) == nil)
        try vendor.add(chip)
        #expect(try await desk().obtain(for: report, patience: .seconds(120)) == .present)
    }

    @Test func `reports under a VLEK or without a chip's id lead to no question`() async throws {
        var settings = SNPSettings()
        settings.signingKey = .vlek
        #expect(try await desk().obtain(for: SimulatedSNP(settings).anyReport(), patience: .seconds(120)) == .absent)
        #expect(try vendor.asked().isEmpty)
    }

    @Test func `a guest whose host gave no certificates gets its share all the same`() async throws {
        let stage = try Stage(keyService: vendor.url)
        try vendor.add(SimulatedSNP())
        let envelope = try stage.envelope()
        let request = try stage.request([envelope.message.compact], withoutCertificates: true)
        try await stage.unsealer.prepare(request, at: stage.now)
        #expect(try stage.open(stage.unseal(request)[0], answering: envelope) == stage.share)
        #expect(try vendor.asked().count == 1)
        let again = try stage.request([envelope.message.compact])
        try await stage.unsealer.prepare(again, at: stage.now)
        #expect(try stage.open(stage.unseal(again)[0], answering: envelope) == stage.share)
        #expect(try vendor.asked().count == 1)
    }

    @Test func `a KBS client without certificates attests all the same`() async throws {
        let stage = try Stage(keyService: vendor.url)
        try vendor.add(SimulatedSNP())
        let guest = KBSGuest(stage: stage)
        let (nonce, cookie) = try guest.begin()
        let desk = stage.unsealer.resources
        let attestation = try desk.read(guest.message(nonce, withoutCertificates: true), cookie: cookie, at: stage.now)
        try await desk.prepare(attestation, at: stage.now)
        let attested = try desk.attest(attestation, from: stage.remote, at: stage.now)
        try stage.store()
        #expect(try guest.open(stage.release(.cookie(attested.cookie))) == stage.share)
        #expect(try vendor.asked().count == 1)
        // Its nonce is out of time, and another chip's certificate is missing: nobody is asked.
        var settings = SNPSettings()
        settings.chip = [UInt8](repeating: 9, count: 64)
        let other = KBSGuest(stage: stage, tee: .snp(settings))
        let late = try other.begin(at: stage.now - 3600)
        let refused = try desk.read(other.message(late.nonce, withoutCertificates: true), cookie: late.cookie, at: stage.now)
        try await desk.prepare(refused, at: stage.now)
        #expect(try vendor.asked().count == 1)
    }

    @Test func `a nonce that is not ours makes nobody ask AMD`() async throws {
        let stage = try Stage(keyService: vendor.url)
        let nonce = Base64.encode([UInt8](repeating: 1, count: 32))
        let request = try stage.request([stage.envelope().message.compact], nonce: nonce, withoutCertificates: true)
        try await stage.unsealer.prepare(request, at: stage.now)
        #expect(try vendor.asked().isEmpty)
    }
}
