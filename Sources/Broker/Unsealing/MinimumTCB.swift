// SPDX-License-Identifier: Apache-2.0
internal import Attestation
internal import TEE

/// A broker's own floors: the lowest TCB per product that it opens anything for, whatever an owner's policy allows.
package struct MinimumTCB: Sendable, Equatable {
    private var floors: [SNPProduct: TCBVersion] = [:]
    /// Of TDX: the lowest TCB evaluation data number of the collateral that a platform was judged by.
    private var evaluation: Int?

    private static let tdx = "tdx"

    /// From `PRODUCT=HEX` each, the 8 bytes of a TCB_VERSION as they stand in a report of that product, or `tdx=NUMBER`. What is
    /// not named has no floor.
    package init(_ texts: [String]) throws(BrokerError) {
        for text in texts {
            let parts = text.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, try add(parts[0], parts[1]) else {
                let names = (SNPProduct.allCases.map(\.rawValue) + [Self.tdx]).joined(separator: ", ")
                throw BrokerError(
                    "\(text) is no minimum TCB",
                    hint: "PRODUCT=HEX with 16 digits, such as genoa=0a00000000000e4d, or tdx=18; products: \(names)")
            }
        }
    }

    /// False for what is no floor.
    private mutating func add(_ name: String, _ value: String) throws(BrokerError) -> Bool {
        let twice = BrokerError("two minimum TCBs for \(name)")
        if name == Self.tdx {
            guard let number = Int(value), number >= 0 else { return false }
            guard evaluation == nil else { throw twice }
            evaluation = number
            return true
        }
        guard let product = SNPProduct(rawValue: name), let floor = TCBVersion(hex: value) else { return false }
        guard floors.updateValue(floor, forKey: product) == nil else { throw twice }
        return true
    }

    func failures(of evidence: VerifiedEvidence) -> [FailedPredicate] {
        let failure =
            switch evidence {
            case .snp(let genuine): failure(of: genuine)
            case .tdx(let genuine): failure(of: genuine)
            }
        return failure.map { [$0] } ?? []
    }

    private func failure(of evidence: GenuineSNP) -> FailedPredicate? {
        let product = evidence.product
        let reported = evidence.report.reportedTCB
        guard let floor = floors[product], !reported.isAtLeast(floor) else { return nil }
        let layout = product.tcbLayout
        return FailedPredicate(
            predicate: "broker's minimum tcb (\(product.rawValue))", expected: "at least \(floor.description(in: layout))",
            actual: reported.description(in: layout))
    }

    private func failure(of evidence: GenuineTDX) -> FailedPredicate? {
        guard let evaluation, evidence.tcbEvaluation < evaluation else { return nil }
        return FailedPredicate(
            predicate: "broker's minimum tcb (tdx)", expected: "judged by evaluation \(evaluation) or later",
            actual: "judged by evaluation \(evidence.tcbEvaluation)")
    }
}
