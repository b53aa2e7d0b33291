// SPDX-License-Identifier: Apache-2.0
internal import Attestation
internal import TEE

/// A broker's own floors: the lowest TCB per product that it opens anything for, whatever an owner's policy allows.
package struct MinimumTCB: Sendable, Equatable {
    private var floors: [SNPProduct: TCBVersion] = [:]

    /// From `PRODUCT=HEX` each, the 8 bytes of a TCB_VERSION as they stand in a report of that product. A product that is not
    /// named has no floor.
    package init(_ texts: [String]) throws(BrokerError) {
        for text in texts {
            let parts = text.split(separator: "=", omittingEmptySubsequences: false)
            guard parts.count == 2, let product = SNPProduct(rawValue: String(parts[0])),
                let floor = TCBVersion(hex: String(parts[1]))
            else {
                let names = SNPProduct.allCases.map(\.rawValue).joined(separator: ", ")
                throw BrokerError(
                    "\(text) is no minimum TCB",
                    hint: "PRODUCT=HEX with 16 digits, such as genoa=0a00000000000e4d; products: \(names)")
            }
            guard floors.updateValue(floor, forKey: product) == nil else {
                throw BrokerError("two minimum TCBs for \(product.rawValue)")
            }
        }
    }

    func failures(of evidence: GenuineSNP) -> [FailedPredicate] {
        let product = evidence.product
        let reported = evidence.report.reportedTCB
        guard let floor = floors[product], !reported.isAtLeast(floor) else { return [] }
        let layout = product.tcbLayout
        return [
            FailedPredicate(
                predicate: "broker's minimum tcb (\(product.rawValue))",
                expected: "at least \(floor.description(in: layout))",
                actual: reported.description(in: layout))
        ]
    }
}
