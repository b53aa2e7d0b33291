// SPDX-License-Identifier: Apache-2.0

/// What a broker is started with, as the operator wrote it.
public struct BrokerConfiguration: Sendable {
    public static let officialKeyService = AMDKeyService.official
    public static let officialCollateralService = IntelCollateralService.official

    public let directory: BrokerDirectory
    /// `product=hex` and `tdx=number`, see ``MinimumTCB``.
    public let minimumTCB: [String]
    /// A directory with the roots of a simulator to believe; nil in earnest.
    public let simulatorTrust: String?
    /// Directories with Intel's collateral, one per kind of platform.
    public let collateral: [String]

    /// Files with AMD's revocation lists.
    public let revocationLists: [String]

    /// Base address of AMD's key service or a mirror of it; nil where evidence must come with its VCEK.
    public let amdKeyService: String?
    /// Base address of Intel's certification service or a cache of it; nil where collateral comes from files only.
    public let intelCollateralService: String?

    public init(
        directory: BrokerDirectory, minimumTCB: [String] = [], simulatorTrust: String? = nil, collateral: [String] = [],
        revocationLists: [String] = [], amdKeyService: String? = nil, intelCollateralService: String? = nil
    ) {
        self.directory = directory
        self.minimumTCB = minimumTCB
        self.simulatorTrust = simulatorTrust
        self.collateral = collateral
        self.revocationLists = revocationLists
        self.amdKeyService = amdKeyService
        self.intelCollateralService = intelCollateralService
    }

    /// Loads everything, and throws for whatever is missing or wrong before anything is served.
    public func makeUnsealer(counting metrics: Metrics) throws(BrokerError) -> Unsealer {
        let floors = try MinimumTCB(minimumTCB)
        let service = try amdKeyService.map { (base) throws(BrokerError) in try AMDKeyService(base) }
        let collateralService = try intelCollateralService.map { (base) throws(BrokerError) in
            try IntelCollateralService(base)
        }
        var check = try EvidenceCheck(
            simulatorTrust: simulatorTrust, collateral: collateral, revocationLists: revocationLists)
        let store = try Store(in: directory)
        let now = systemSeconds()
        let keys = try KeyRing(directory, store, at: now)
        if let service { check = check.searching(store, service, metrics: metrics) }
        if service != nil || collateralService != nil {
            check = check.renewing(store, amd: service, intel: collateralService, metrics: metrics)
            check.collateral?.load()
        }
        return Unsealer(
            keys: keys, evidence: check, floors: floors, store: store,
            audit: try AuditChain(key: keys.keys(at: now).audit, store: store, at: now))
    }
}
