// SPDX-License-Identifier: Apache-2.0

/// The anchors that somebody who wants to try the simulator gives to a broker: `ark.pem` and `ask.pem`, product Genoa.
public enum SimulatedTrust {
    public static let arkPEM = SimulatedKeys.arkCertificate + "\n"
    public static let askPEM = SimulatedKeys.askCertificate + "\n"
}
