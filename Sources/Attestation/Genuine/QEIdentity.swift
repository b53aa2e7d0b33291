// SPDX-License-Identifier: Apache-2.0
internal import PinKit
package import TEE

/// Which enclave Intel's TDX quoting enclave is: the member `enclaveIdentity` of what its service answers ("Get Quoting
/// Enclave Identity V4").
package struct QEIdentity: Sendable {
    /// Issue and next update in seconds since 1970.
    let validity: ClosedRange<Int64>
    let evaluation: Int
    /// 4 bytes each, in the report's order.
    private let miscSelect: [UInt8]
    private let miscSelectMask: [UInt8]
    /// 16 bytes each.
    private let attributes: [UInt8]
    private let attributesMask: [UInt8]
    private let signer: [UInt8]
    private let productID: UInt16
    private let levels: [SVNLevel]

    private static let step = "QE identity"

    package init(_ signed: SignedJSON) throws(EvidenceError) {
        self = try signed.read(Self.step) { (json) throws(JSONError) in try Self(json) }
    }

    private init(_ json: JSON) throws(JSONError) {
        var reader = try JSONReader(json, at: "enclaveIdentity")
        try reader.expect("id", "TD_QE")
        try reader.expect("version", 2)
        self.validity = try reader.window()
        self.evaluation = Int(try reader.integer("tcbEvaluationDataNumber", in: 0...Int64(Int32.max)))
        self.miscSelect = try reader.hex("miscselect", count: 4)
        self.miscSelectMask = try reader.hex("miscselectMask", count: 4)
        self.attributes = try reader.hex("attributes", count: 16)
        self.attributesMask = try reader.hex("attributesMask", count: 16)
        self.signer = try reader.hex("mrsigner", count: 32)
        self.productID = UInt16(try reader.integer("isvprodid", in: 0...0xffff))
        self.levels = try reader.list("tcbLevels", SVNLevel.init(_:at:))
    }

    /// What Intel says of the enclave with that report. Throws `.refused` for another enclave, and for one with none of the
    /// levels.
    func assess(_ report: QEReport) throws(EvidenceError) -> TCBAssessment {
        guard report.mrSigner == signer else { throw refused("signed by \(Hex.encode(report.mrSigner)), who is not Intel") }
        guard report.productID == productID else { throw refused("product \(report.productID), not \(productID)") }
        let misc = TDXField.qeMiscSelect.bytes(of: report.raw)
        guard zip(misc, miscSelectMask).map({ $0 & $1 }) == miscSelect else {
            throw refused("MISCSELECT is \(Hex.encode(misc)), not \(Hex.encode(miscSelect))")
        }
        guard zip(report.attributes, attributesMask).map({ $0 & $1 }) == attributes else {
            throw refused("its attributes are \(Hex.encode(report.attributes)), not \(Hex.encode(attributes))")
        }
        guard let assessment = SVNLevel.highest(of: levels, reachedBy: Int(report.svn)) else {
            throw refused("no level for version \(report.svn)")
        }
        return assessment
    }

    private func refused(_ detail: String) -> EvidenceError {
        EvidenceError(.refused, step: "quoting enclave", detail: detail)
    }
}
