// SPDX-License-Identifier: Apache-2.0
import Attestation
import Broker
import BrokerProtocol
import Foundation
import PinKit
import Synchronization
import TEE
import TEESimulator
import Testing

/// Intel's collateral and AMD's revocation lists, asked for at a service that counts.
@Suite struct CollateralDeskTests {
    private final class Moment: Sendable {
        private let seconds = Mutex(systemSeconds())
        var now: Int64 { seconds.withLock { $0 } }
        func wait(days: Int64) { seconds.withLock { $0 += days * 86_400 } }
    }

    private let vendor: FakeVendor
    private let scratch: TemporaryDirectory
    private let store: Store
    private let moment = Moment()
    private let quote: [UInt8]

    init() throws {
        vendor = try FakeVendor()
        scratch = try TemporaryDirectory()
        store = try Store(at: scratch.path + "/broker.sqlite")
        quote = try SimulatedTDX(TDXSettings()).quote(over: [UInt8](repeating: 7, count: 64))
    }

    /// As after a start: with nothing in memory.
    private struct Broker {
        let snp: SNPVerifier
        let tdx: TDXVerifier
        let desk: CollateralDesk
    }

    private func start() throws -> Broker {
        let pem = Dictionary(uniqueKeysWithValues: SimulatedTrust.files.map { ($0.0, Array($0.1.utf8)) })
        let snp = SNPVerifier(
            anchors: try .amd.addingSimulated(
                ark: pem["ark.pem"] ?? [], ask: pem["ask.pem"] ?? [], asvk: pem["asvk.pem"] ?? []))
        let tdx = try TDXVerifier(anchors: .intel.addingSimulated(root: pem["intel-root.pem"] ?? []), collateral: [])
        let moment = moment
        let desk = CollateralDesk(
            snp: snp, tdx: tdx, store: store, amd: try AMDKeyService(vendor.url),
            intel: try IntelCollateralService(vendor.url), metrics: Metrics(), clock: { moment.now }, patience: .seconds(120)
        )
        desk.load()
        return Broker(snp: snp, tdx: tdx, desk: desk)
    }

    private func prepare(_ broker: Broker) async throws {
        try await broker.desk.prepare(.tdx(quote: quote, eventLog: []))
    }

    private func judge(_ broker: Broker) throws { _ = try broker.tdx.verify(quote: quote, at: moment.now) }

    // MARK: - Intel

    @Test func `of a hundred guests of one platform one asks, and all are judged`() async throws {
        try vendor.addCollateral(at: moment.now)
        let broker = try start()
        #expect(throws: EvidenceError.self) { try judge(broker) }
        let (desk, quote) = (broker.desk, quote)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<100 { group.addTask { try await desk.prepare(.tdx(quote: quote, eventLog: [])) } }
            try await group.waitForAll()
        }
        try judge(broker)
        #expect(try vendor.asked().count == 4)
        #expect(try vendor.asked().first?.hasPrefix("/tdx/certification/v4/tcb?fmspc=") == true)
        await broker.desk.close()
    }

    @Test func `what was fetched outlives the broker in its store`() async throws {
        try vendor.addCollateral(at: moment.now)
        try await prepare(start())
        try vendor.set("busy", true)
        let second = try start()
        try await prepare(second)
        try judge(second)
        #expect(try vendor.asked().count == 4)
    }

    @Test func `it is renewed each day, before it is over`() async throws {
        try vendor.addCollateral(at: moment.now)
        let broker = try start()
        try await prepare(broker)
        moment.wait(days: 20)
        try vendor.addCollateral(at: moment.now)
        await broker.desk.renew()
        let asked = try vendor.asked().count { $0.contains("/tcb?") }
        #expect(asked == 2)
        await broker.desk.renew()
        #expect(try vendor.asked().count { $0.contains("/tcb?") } == asked)
        moment.wait(days: 20)
        try judge(broker)
    }

    @Test func `where the service fails, what is there serves until it is over`() async throws {
        try vendor.addCollateral(at: moment.now)
        let broker = try start()
        try await prepare(broker)
        try vendor.set("busy", true)
        moment.wait(days: 20)
        await broker.desk.renew()
        try judge(broker)
        moment.wait(days: 20)
        #expect(throws: EvidenceError.self) { try judge(broker) }
        let rejection = await #expect(throws: Rejection.self) { try await prepare(broker) }
        #expect(rejection?.variant == .unavailable)
    }

    @Test(arguments: [SimulatedCollateral.Flaw.tamperedTCBInfo, .tamperedQEIdentity, .revokedCA, .foreignFMSPC, .expired])
    func `what is not good is neither believed nor kept`(flaw: SimulatedCollateral.Flaw) async throws {
        try vendor.addCollateral(at: moment.now, flaw: flaw)
        let broker = try start()
        let rejection = await #expect(throws: Rejection.self) { try await prepare(broker) }
        #expect(rejection?.variant == .unavailable)
        #expect(throws: EvidenceError.self) { try judge(broker) }
        try vendor.addCollateral(at: moment.now)
        let second = try start()
        try await prepare(second)
        try judge(second)
    }

    @Test func `a platform that Intel does not know is asked about once, and is no fault of the broker's`() async throws {
        let broker = try start()
        try await prepare(broker)
        try await prepare(broker)
        #expect(try vendor.asked().count == 1)
        #expect(throws: EvidenceError.self) { try judge(broker) }
    }

    @Test func `a quote whose chain does not hold makes nobody ask Intel`() async throws {
        let broker = try start()
        for offset in stride(from: 600, to: quote.count, by: 97) {
            var forged = quote
            forged[offset] ^= 1
            try? await broker.desk.prepare(.tdx(quote: forged, eventLog: []))
        }
        // Bytes of the quote that its chain does not cover leave the platform's name as it is.
        #expect(try Set(vendor.asked()).count <= 1)
    }

    // MARK: - AMD

    private func judgeSNP(_ broker: Broker) throws {
        let chip = try SimulatedSNP()
        let report = try chip.report(for: [UInt8](repeating: 7, count: 64))
        let genuine = try broker.snp.verify(report: report, certificates: chip.certificates, at: moment.now)
        #expect(genuine.isRevocationChecked)
    }

    @Test func `a revocation counts within a day, and after a start`() async throws {
        try vendor.add(revocationList: SimulatedTrust.revocationList(at: moment.now))
        let broker = try start()
        await broker.desk.renew()
        try judgeSNP(broker)
        try vendor.add(revocationList: SimulatedTrust.revocationList(at: moment.now + 1, revokingASK: true))
        moment.wait(days: 1)
        await broker.desk.renew()
        #expect(throws: EvidenceError.self) { try judgeSNP(broker) }
        try vendor.set("busy", true)
        #expect(throws: EvidenceError.self) { try judgeSNP(start()) }
    }

    @Test func `an older list does not take a revocation back`() async throws {
        try vendor.add(revocationList: SimulatedTrust.revocationList(at: moment.now, revokingASK: true))
        let broker = try start()
        await broker.desk.renew()
        try vendor.add(revocationList: SimulatedTrust.revocationList(at: moment.now - 1000))
        moment.wait(days: 1)
        await broker.desk.renew()
        let error = #expect(throws: EvidenceError.self) { try judgeSNP(broker) }
        #expect(error?.detail.contains("has revoked") == true)
    }

    @Test func `a list that AMD did not sign changes nothing`() async throws {
        try vendor.add(revocationList: Array("no list".utf8))
        let broker = try start()
        await broker.desk.renew()
        let chip = try SimulatedSNP()
        let report = try chip.report(for: [UInt8](repeating: 7, count: 64))
        let genuine = try broker.snp.verify(report: report, certificates: chip.certificates, at: moment.now)
        #expect(!genuine.isRevocationChecked)
    }
}
