// SPDX-License-Identifier: Apache-2.0
package import Attestation
package import BrokerProtocol
internal import NIOPosix
internal import PinKit
internal import Synchronization
internal import TEE

/// Keeps what vendors publish beside certificates: Intel's collateral for platforms whose quotes come, and AMD's revocation lists.
///
/// Looks in the store first, asks each vendor once a day, verifies what comes, and keeps what was good until it is over.
package final class CollateralDesk: Sendable {
    /// Seconds after which a vendor is asked again for what is still in force.
    private static let freshness: Int64 = 86_400
    /// Seconds until the next question where a vendor did not answer, and for which "there is none" is believed.
    private static let pause: Int64 = 300

    private enum Finding: Sendable {
        case found
        case absent
        case busy(String)
    }

    /// Kinds of platforms that are kept up to date; there are some hundred.
    private static let capacity = 1024

    private struct State {
        /// When each is to be asked for again, in seconds since 1970.
        var platforms: [TDXPlatform: Int64] = [:]
        var lists: [SNPProduct: Int64] = [:]
        var absent: [TDXPlatform: Int64] = [:]
    }

    private let snp: SNPVerifier
    private let tdx: TDXVerifier
    private let store: Store
    private let amd: AMDKeyService?
    private let intel: IntelCollateralService?
    private let metrics: Metrics
    private let clock: @Sendable () -> Int64
    private let patience: Duration
    private let threads = NIOThreadPool(numberOfThreads: 2)
    private let flights = SingleFlight<TDXPlatform, Finding>(capacity: 64)
    private let backOff = BackOff()
    private let state = Mutex(State())

    /// - Parameter patience: how long a request waits for collateral. Guests ask again, and find what came meanwhile.
    package init(
        snp: SNPVerifier, tdx: TDXVerifier, store: Store, amd: AMDKeyService?, intel: IntelCollateralService?,
        metrics: Metrics, clock: @escaping @Sendable () -> Int64 = systemSeconds, patience: Duration = .seconds(8)
    ) {
        self.snp = snp
        self.tdx = tdx
        self.store = store
        self.amd = amd
        self.intel = intel
        self.metrics = metrics
        self.clock = clock
        self.patience = patience
        threads.start()
    }

    /// Lets go of its threads; nothing is asked for any more.
    package func close() async { try? await threads.shutdownGracefully() }

    // MARK: - Before a request is judged

    /// Sees to the collateral of a quote. Evidence that cannot be read is left to who judges it.
    package func prepare(_ evidence: EvidenceDocument) async throws(Rejection) {
        guard intel != nil, case .tdx(let quote, _) = evidence, !tdx.canJudge(quote, at: clock()),
            let platform = try? tdx.platform(of: quote)
        else {
            return
        }
        guard state.withLock({ $0.absent[platform] ?? 0 }) <= clock() else { return }
        let finding = await flights.outcome(of: platform, patience: patience) {
            // It throws when the pool is shut down.
            (try? await self.threads.runIfActive { self.find(platform) }) ?? .busy("the broker stops")
        }
        switch finding {
        case .found, .absent: return
        case .busy(let reason): throw Rejection(.unavailable, "the collateral of this platform cannot be had now: \(reason)")
        case nil: throw Rejection(.unavailable, "Intel's service did not answer within \(patience)")
        }
    }

    private func find(_ platform: TDXPlatform) -> Finding {
        let now = clock()
        if let stored = known(Self.name(of: platform), at: now), let set = TDXCollateral(kept: stored),
            (try? tdx.take(set, for: platform, at: now)) != nil
        {
            // The day it was fetched on is not known any more.
            schedule(platform, at: now)
            return .found
        }
        return ask(platform, at: now)
    }

    private func ask(_ platform: TDXPlatform, at now: Int64) -> Finding {
        guard let intel else { return .absent }
        guard !backOff.isResting else { return .busy("Intel's service wants to be left alone") }
        switch intel.collateral(of: platform) {
        case .found(let set):
            do throws(EvidenceError) {
                try tdx.take(set, for: platform, at: now)
            } catch {
                count("intel", "not-genuine")
                backOff.rest(seconds: nil)
                return .busy(error.description)
            }
            count("intel", "found")
            backOff.succeeded()
            keep(set.kept, as: Self.name(of: platform), at: now)
            schedule(platform, at: now + Self.freshness)
            return .found
        case .absent:
            count("intel", "absent")
            state.withLock { state in
                if state.absent.count >= Self.capacity { state.absent.removeAll() }
                state.absent[platform] = now + Self.pause
            }
            return .absent
        case .busy(let reason, let seconds):
            count("intel", "busy")
            backOff.rest(seconds: seconds)
            return .busy(reason)
        }
    }

    private func schedule(_ platform: TDXPlatform, at next: Int64) {
        state.withLock { state in
            if state.platforms.count >= Self.capacity { state.platforms.removeAll() }
            state.platforms[platform] = next
        }
    }

    // MARK: - Day by day

    /// What the store has of AMD's revocation lists: before the first request is judged. Blocks.
    package func load() {
        guard amd != nil else { return }
        for product in SNPProduct.allCases {
            guard let list = known(Self.name(of: product), at: clock()) else { continue }
            try? snp.take(revocationList: list, of: product, at: clock())
        }
    }

    /// Asks for all that is due.
    package func renew() async { _ = try? await threads.runIfActive { self.renewNow() } }

    private func renewNow() {
        let now = clock()
        if let amd {
            for product in SNPProduct.allCases where state.withLock({ $0.lists[product] ?? 0 }) <= now {
                let isNew = renew(product, amd, at: now)
                state.withLock { $0.lists[product] = now + (isNew ? Self.freshness : Self.pause) }
            }
        }
        for (platform, next) in state.withLock({ $0.platforms }) where next <= now {
            if case .found = ask(platform, at: now) { continue }
            schedule(platform, at: now + Self.pause)
        }
    }

    private func renew(_ product: SNPProduct, _ amd: AMDKeyService, at now: Int64) -> Bool {
        guard case .found(let list) = amd.revocationList(of: product) else {
            count("amd", "busy")
            return false
        }
        guard (try? snp.take(revocationList: list, of: product, at: now)) != nil else {
            count("amd", "not-genuine")
            return false
        }
        count("amd", "found")
        keep(list, as: Self.name(of: product), at: now)
        return true
    }

    // MARK: - The store

    private static func name(of platform: TDXPlatform) -> String {
        "tdx/\(Hex.encode(platform.fmspc))/\(platform.isProcessorCA ? "processor" : "platform")"
            + (platform.isSimulated ? "/simulated" : "")
    }

    private static func name(of product: SNPProduct) -> String { "crl/\(product.rawValue)" }

    private func known(_ name: String, at now: Int64) -> [UInt8]? {
        guard case .present(let bytes) = try? store.certificate(name, at: now) else { return nil }
        return bytes
    }

    /// A store that cannot be written costs one more question.
    private func keep(_ bytes: [UInt8], as name: String, at now: Int64) {
        try? store.remember(.present(bytes), as: name, until: 0, at: now)
    }

    private func count(_ vendor: String, _ result: String) {
        metrics.count(.vendorRequests, ["vendor": vendor, "result": result])
    }
}

extension TDXCollateral {
    /// A JSON object of its parts in base64url, for the store.
    fileprivate var kept: [UInt8] {
        var members = JSONObject()
        for part in Part.allCases { members[part.rawValue] = self[part].map { .string(Base64URL.encode($0)) } }
        return Array(JSON.object(members).canonical.utf8)
    }

    fileprivate init?(kept: [UInt8]) {
        guard let json = try? JSON(parsing: kept) else { return nil }
        self.init()
        for part in Part.allCases { self[part] = (json[part.rawValue]?.string).flatMap { Base64URL.decode($0) } }
    }
}
