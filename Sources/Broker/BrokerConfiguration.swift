// SPDX-License-Identifier: Apache-2.0

/// What a broker is started with, as the operator wrote it.
public struct BrokerConfiguration: Sendable {
    public let directory: BrokerDirectory
    /// `product=hex` and `tdx=number`, see ``MinimumTCB``.
    public let minimumTCB: [String]
    /// A directory with the roots of a simulator to believe; nil in earnest.
    public let simulatorTrust: String?
    /// Directories with Intel's collateral, one per kind of platform; without any, no TDX evidence is judged.
    public let collateral: [String]

    /// Files with AMD's revocation lists.
    public let revocationLists: [String]

    public init(
        directory: BrokerDirectory, minimumTCB: [String] = [], simulatorTrust: String? = nil, collateral: [String] = [],
        revocationLists: [String] = []
    ) {
        self.directory = directory
        self.minimumTCB = minimumTCB
        self.simulatorTrust = simulatorTrust
        self.collateral = collateral
        self.revocationLists = revocationLists
    }

    /// Loads everything, and throws for whatever is missing or wrong before anything is served.
    public func makeUnsealer() throws(BrokerError) -> Unsealer {
        let floors = try MinimumTCB(minimumTCB)
        let check = try EvidenceCheck(
            simulatorTrust: simulatorTrust, collateral: collateral, revocationLists: revocationLists)
        return Unsealer(
            keys: try directory.loadKeys(), evidence: check, floors: floors, store: try Store(in: directory))
    }
}
