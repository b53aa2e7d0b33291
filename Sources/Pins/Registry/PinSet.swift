// SPDX-License-Identifier: Apache-2.0
internal import NullPin
public import PinKit
public import SNPAttestPin
internal import SSSPin

/// The pins of this project: the only file that names them all.
public enum PinSet {
    /// For programs that recover: policies are only known to be policies.
    public static let standard = registry(policyCheck: SNPAttestPin.statesCoverage)

    /// For programs that bind: `policyCheck` reads a policy as the broker will (``SNPAttestPin/init(policyCheck:)``).
    public static func registry(policyCheck: @escaping SNPAttestPin.PolicyCheck) -> PinRegistry {
        PinRegistry([NullPin(), SSSPin(), SNPAttestPin(policyCheck: policyCheck)])
    }
}
