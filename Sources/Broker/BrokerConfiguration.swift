// SPDX-License-Identifier: Apache-2.0

/// What a broker is started with, as the operator wrote it.
public struct BrokerConfiguration: Sendable {
    public let directory: BrokerDirectory
    /// `product=hex`, see ``MinimumTCB``.
    public let minimumTCB: [String]
    /// A directory with the roots of a simulator to believe; nil in earnest.
    public let simulatorTrust: String?

    public init(directory: BrokerDirectory, minimumTCB: [String] = [], simulatorTrust: String? = nil) {
        self.directory = directory
        self.minimumTCB = minimumTCB
        self.simulatorTrust = simulatorTrust
    }

    /// Loads everything, and throws for whatever is missing or wrong before anything is served.
    public func makeUnsealer() throws(BrokerError) -> Unsealer {
        let floors = try MinimumTCB(minimumTCB)
        let check = try EvidenceCheck(simulatorTrust: simulatorTrust)
        return Unsealer(
            keys: try directory.loadKeys(), evidence: check, floors: floors, store: try Store(in: directory))
    }
}
