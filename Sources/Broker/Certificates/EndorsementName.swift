// SPDX-License-Identifier: Apache-2.0
internal import PinKit
package import TEE

/// Which VCEK it takes to judge a report: the chip and the TCB that the report states, believed by nobody yet.
package struct EndorsementName: Hashable, Sendable {
    /// The whole CHIP_ID, 64 bytes.
    let chip: [UInt8]
    let tcb: TCBVersion
    /// Products whose key service may know the chip, the likeliest first. Reports of version 2 do not say which it is.
    let products: [SNPProduct]

    /// nil where no VCEK is to be had: the report is signed by another key, or hides its chip.
    package init?(_ report: SNPReport) {
        guard report.signingKey == .vcek, !report.masksChipKey, report.chipID.contains(where: { $0 != 0 }) else {
            return nil
        }
        chip = report.chipID
        tcb = report.reportedTCB
        products = report.product.map { [$0] } ?? [.milan, .genoa]
    }

    /// What the store calls it.
    var text: String {
        let names = products.map(\.rawValue).joined(separator: "+")
        return "vcek/\(names)/\(Hex.encode(chip))/\(tcb.hex)"
    }
}
