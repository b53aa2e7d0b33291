// SPDX-License-Identifier: Apache-2.0

/// The anchors that somebody who wants to try the simulator gives to a broker.
public enum SimulatedTrust {
    /// By the names that `--trust-simulator` reads: SEV-SNP's, of product Genoa, and TDX's root.
    public static let files = [
        ("ark.pem", arkPEM), ("ask.pem", askPEM), ("asvk.pem", asvkPEM), ("intel-root.pem", intelRootPEM),
    ]

    public static let arkPEM = SimulatedKeys.arkCertificate + "\n"
    public static let askPEM = SimulatedKeys.askCertificate + "\n"
    public static let asvkPEM = SimulatedKeys.asvkCertificate + "\n"
    public static let intelRootPEM = SimulatedIntelKeys.rootCertificate + "\n"
}
