// SPDX-License-Identifier: Apache-2.0
internal import NullPin
public import PinKit
public import SNPAttestPin
internal import SSSPin
public import TPM2Pin

/// The pins of this project: the only file that names them all.
public enum PinSet {
    /// For programs that recover: policies are only known to be policies.
    public static let standard = registry(readPolicy: SNPAttestPin.statesCoverage)

    /// For programs that bind: `readPolicy` reads a policy as the broker will (``SNPAttestPin/init(readPolicy:)``).
    /// `tcti` says where the TPM is (``TPM2Pin/init(tcti:)``).
    public static func registry(
        tcti: String = TPM2Pin.kernelTPM, readPolicy: @escaping SNPAttestPin.PolicyReader
    ) -> PinRegistry {
        PinRegistry([NullPin(), SSSPin(), SNPAttestPin(readPolicy: readPolicy), TPM2Pin(tcti: tcti)])
    }
}
