// SPDX-License-Identifier: Apache-2.0
package import Attestation
internal import NIOPosix
internal import Synchronization
package import TEE

/// Finds the VCEK that a host did not hand its guest: in memory, in the store, at AMD, in this order.
///
/// Of any number of guests that need one certificate at a time one asks, and the others wait for its answer. What comes is
/// verified before anything keeps it, and what AMD does not have is remembered as well. A server that wants to be left alone
/// is, by all.
package final class EndorsementDesk: Sendable {
    /// What became of a search.
    package enum Outcome: Sendable, Equatable {
        case present
        /// AMD has none for this chip and TCB.
        case absent
        /// Nobody knows at the moment; asking again later may help.
        case unknown(String)
    }

    /// Some 1.5 KiB each.
    private static let capacity = 16_384
    /// Searches at a time, so that made-up chips cost a bounded amount of memory.
    private static let maximumSearches = 1024
    /// Questions to AMD a minute: who makes up chips must not get this broker locked out there.
    private static let questionsPerMinute = 1200
    /// How long one search may go on while the server is busy.
    private static let searchLimit: Duration = .seconds(120)
    /// Seconds for which "there is none" is believed.
    private static let absenceLifetime: Int64 = 86_400
    /// Requests to AMD at a time.
    private static let connections = 4

    private struct State {
        var known: [EndorsementName: [UInt8]] = [:]
        var budget = MinuteBudget(EndorsementDesk.questionsPerMinute)
    }

    private let verifier: SNPVerifier
    private let store: Store
    private let service: AMDKeyService
    private let metrics: Metrics
    private let clock: @Sendable () -> Int64
    private let threads = NIOThreadPool(numberOfThreads: EndorsementDesk.connections)
    private let backOff = BackOff()
    private let flights = SingleFlight<EndorsementName, Outcome>(capacity: EndorsementDesk.maximumSearches)
    private let state = Mutex(State())

    package init(
        verifier: SNPVerifier, store: Store, service: AMDKeyService, metrics: Metrics,
        clock: @escaping @Sendable () -> Int64 = systemSeconds
    ) {
        self.verifier = verifier
        self.store = store
        self.service = service
        self.metrics = metrics
        self.clock = clock
        threads.start()
    }

    /// Lets go of its threads; nothing is searched any more.
    package func close() async { try? await threads.shutdownGracefully() }

    /// Certificates in memory.
    var held: Int { state.withLock { $0.known.count } }

    /// Certificates that are being searched for.
    var sought: Int { flights.count }

    /// The certificate for `report` where it is in memory: does not wait for anything.
    package func certificate(for report: SNPReport) -> [UInt8]? {
        guard let name = EndorsementName(report) else { return nil }
        return state.withLock { $0.known[name] }
    }

    /// Sees to it that ``certificate(for:)`` has an answer. Waits at most `patience`; a search goes on after that, for those who
    /// ask again.
    package func obtain(for report: SNPReport, patience: Duration) async -> Outcome {
        guard let name = EndorsementName(report) else { return .absent }
        guard !isKnown(name) else {
            metrics.count(.certificates, ["source": "memory"])
            return .present
        }
        let ending = await flights.ending(of: name, patience: patience) { await self.search(name, report) }
        switch ending {
        case .found(let outcome): return outcome
        case .late: return .unknown("the key service did not answer within \(patience)")
        case .full: return .unknown("\(EndorsementDesk.maximumSearches) certificates are being searched for")
        }
    }

    private func isKnown(_ name: EndorsementName) -> Bool { state.withLock { $0.known[name] != nil } }

    private func search(_ name: EndorsementName, _ report: SNPReport) async -> Outcome {
        // Another search may have ended between the question and this one.
        guard !isKnown(name) else { return .present }
        let end = ContinuousClock.now + EndorsementDesk.searchLimit
        var finding = Finding.busy("not asked")
        repeat {
            await backOff.wait(until: end)
            // It throws when the pool is shut down: then nothing will ever be found.
            guard let found = try? await threads.runIfActive({ self.find(name, report) }) else { break }
            finding = found
        } while finding.isBusy && ContinuousClock.now < end
        if case .found(let certificate) = finding { remember(certificate, as: name) }
        return finding.outcome
    }

    private func remember(_ certificate: [UInt8], as name: EndorsementName) {
        state.withLock { state in
            if state.known.count >= EndorsementDesk.capacity { state.known.removeAll() }
            state.known[name] = certificate
        }
    }

    // MARK: - On a thread that may block

    private enum Finding: Sendable {
        case found([UInt8])
        case absent
        case busy(String)

        var isBusy: Bool { if case .busy = self { true } else { false } }

        var outcome: Outcome {
            switch self {
            case .found: .present
            case .absent: .absent
            case .busy(let reason): .unknown(reason)
            }
        }
    }

    private func find(_ name: EndorsementName, _ report: SNPReport) -> Finding {
        let now = clock()
        switch stored(name, report, at: now) {
        case .present(let certificate):
            metrics.count(.certificates, ["source": "store"])
            return .found(certificate)
        case .absent:
            metrics.count(.certificates, ["source": "store-absent"])
            return .absent
        case nil: break
        }
        let finding = ask(name, report, at: now)
        switch finding {
        case .found(let certificate): keep(.present(certificate), as: name, at: now)
        case .absent: keep(.absent, as: name, at: now)
        case .busy: break
        }
        return finding
    }

    /// What the store says, verified again: the file it lies in is not believed for that.
    private func stored(_ name: EndorsementName, _ report: SNPReport, at now: Int64) -> KnownCertificate? {
        guard let known = try? store.certificate(name.text, at: now) else { return nil }
        if case .present(let certificate) = known, !isGood(certificate, for: report, at: now) { return nil }
        return known
    }

    /// A store that cannot be written costs one more question, not the guest's answer.
    private func keep(_ certificate: KnownCertificate, as name: EndorsementName, at now: Int64) {
        try? store.remember(certificate, as: name.text, until: now + EndorsementDesk.absenceLifetime, at: now)
    }

    private func ask(_ name: EndorsementName, _ report: SNPReport, at now: Int64) -> Finding {
        for product in name.products {
            guard !backOff.isResting else { return .busy("the key service wants to be left alone") }
            guard state.withLock({ $0.budget.take(at: now) }) else {
                return .busy("\(EndorsementDesk.questionsPerMinute) certificates were asked for in this minute")
            }
            switch service.vcek(name, of: product) {
            case .found(let certificate) where isGood(certificate, for: report, at: now):
                metrics.count(.vendorRequests, ["vendor": "amd", "result": "found"])
                backOff.succeeded()
                return .found(certificate)
            case .found:
                metrics.count(.vendorRequests, ["vendor": "amd", "result": "not-genuine"])
                backOff.rest(seconds: nil)
                return .busy("what the key service gave is no genuine certificate of this chip and TCB")
            case .absent:
                metrics.count(.vendorRequests, ["vendor": "amd", "result": "absent"])
                backOff.succeeded()
            case .busy(let reason, let seconds):
                metrics.count(.vendorRequests, ["vendor": "amd", "result": "busy"])
                backOff.rest(seconds: seconds)
                return .busy(reason)
            }
        }
        return .absent
    }

    private func isGood(_ certificate: [UInt8], for report: SNPReport, at now: Int64) -> Bool {
        (try? verifier.check(vcek: certificate, for: report, at: now)) != nil
    }
}
