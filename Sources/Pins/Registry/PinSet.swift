// SPDX-License-Identifier: Apache-2.0
public import AttestPin
internal import BrokerProtocol
internal import FilePin
internal import NullPin
public import PinKit
internal import SEVSecretPin
internal import SSSPin
public import TPM2Pin
public import TangPin
internal import TrusteePin

/// The pins of this project: the only file that names them all.
public enum PinSet {
    /// For programs that recover: policies are only known to be policies.
    public static let standard = registry(readPolicy: AttestPin.statesCoverage)

    /// For programs that bind: `readPolicy` reads a policy as the broker will (``AttestPin/PolicyReader``), and
    /// `trustTang` is asked about servers that the configuration does not vouch for (``TangPin/init(trust:)``).
    /// `tpm2` says where the TPM is and who knows a PIN (``TPM2Pin/init(tcti:signatureFiles:askPIN:)``); `find` looks for pins
    /// that are not of this project.
    public static func registry(
        tpm2: TPM2Pin = TPM2Pin(), trustTang: @escaping TangPin.TrustDecision = TangPin.trustNobody,
        finding find: @escaping PinRegistry.Finder = { _ in nil }, readPolicy: @escaping AttestPin.PolicyReader
    ) -> PinRegistry {
        PinRegistry(
            [
                NullPin(), SSSPin(), FilePin(), AttestPin(.snp, readPolicy: readPolicy),
                AttestPin(.tdx, readPolicy: readPolicy), SEVSecretPin(), TangPin(trust: trustTang), TrusteePin(), tpm2,
            ],
            finding: find)
    }
}
