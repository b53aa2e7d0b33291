// SPDX-License-Identifier: Apache-2.0
internal import PinKit
internal import TEE

extension SimulatedSNP {
    /// The 32 bytes that this chip derives; nil where it refuses, as firmware does for more than the guest or the platform is
    /// (SEV-SNP Firmware ABI, MSG_KEY_REQ). A digest does: the root keys of a pretend chip are nobody's secret.
    func derivedKey(_ request: DerivedKeyRequest) -> [UInt8]? {
        guard request.rootKey <= 1, request.vmpl <= 3, request.vmpl >= settings.vmpl, request.guestSVN <= settings.guestSVN,
            zip(request.tcb, settings.tcb.committed).allSatisfy({ $0 <= $1 })
        else { return nil }
        let selected = DerivedKeySelection.Fields(rawValue: request.fields)
        let fields: [(DerivedKeySelection.Fields, [UInt8])] = [
            (.guestPolicy, bytes(settings.policy)), (.imageID, settings.imageID), (.familyID, settings.familyID),
            (.measurement, settings.measurement), (.guestSVN, bytes(UInt64(request.guestSVN))), (.tcb, request.tcb),
        ]
        let root = request.rootKey == 0 ? settings.tcb.reported : []
        let inputs = fields.map { selected.contains($0.0) ? $0.1 : [] }
        return Digest.sha256(
            Array("cvm-tee-sim: a derived key".utf8) + bytes(UInt64(request.rootKey)) + bytes(request.fields)
                + bytes(UInt64(request.vmpl)) + settings.chip + root + inputs.flatMap(\.self))
    }

    private func bytes(_ value: UInt64) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
}
