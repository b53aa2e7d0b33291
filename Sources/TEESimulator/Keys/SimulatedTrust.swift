// SPDX-License-Identifier: Apache-2.0

/// The anchors that somebody who wants to try the simulator gives to a broker.
public enum SimulatedTrust {
    /// By the names that `--trust-simulator` reads: SEV-SNP's, of product Genoa, and TDX's root.
    public static let files = [
        ("ark.pem", arkPEM), ("ask.pem", askPEM), ("asvk.pem", asvkPEM), ("intel-root.pem", intelRootPEM),
    ]

    /// PEM of the key that signs all simulated reports under a VCEK, for who measures how fast others verify them.
    package static var vcekPrivateKey: String { SimulatedKeys.vcek }

    /// What AMD publishes of its ARKs: the list of those ASKs and ASVKs that are not to be believed any longer, in DER.
    /// `now`: seconds since 1970, an hour after its issue; it holds for a year.
    public static func revocationList(at now: Int64, revokingASK: Bool = false) throws(SimulatorError) -> [UInt8] {
        let serials = revokingASK ? [try SimulatedCertificate(pem: SimulatedKeys.askCertificate).serial()] : []
        return try SimulatedRevocationList.der(
            of: SimulatedCertificate(pem: SimulatedKeys.arkCertificate), signedBy: SimulatedKey(pem: SimulatedKeys.ark),
            as: .amd, revoking: serials, window: now - 3600...now + 365 * 86_400)
    }

    public static let arkPEM = SimulatedKeys.arkCertificate + "\n"
    public static let askPEM = SimulatedKeys.askCertificate + "\n"
    public static let asvkPEM = SimulatedKeys.asvkCertificate + "\n"
    public static let intelRootPEM = SimulatedIntelKeys.rootCertificate + "\n"
}
