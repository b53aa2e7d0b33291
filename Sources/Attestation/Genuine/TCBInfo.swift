// SPDX-License-Identifier: Apache-2.0
internal import PinKit
package import TEE

/// Intel's TCB information for TDX on platforms of one kind: the member `tcbInfo` of what its service answers (Intel SGX and TDX
/// Provisioning Certification Service, "Get TDX TCB Info V4"). Members that are not used here are not looked at: Intel adds to them.
package struct TCBInfo: Sendable {
    /// 6 and 2 bytes: which platforms.
    let fmspc: [UInt8]
    let pceID: [UInt8]
    /// Issue and next update in seconds since 1970.
    let validity: ClosedRange<Int64>
    /// Higher with each recovery from a flaw.
    let evaluation: Int
    /// Highest first.
    private let levels: [PlatformLevel]
    private let module: ModuleIdentity
    private let modules: [ModuleIdentity]

    private static let step = "TCB info"

    package init(_ signed: SignedJSON) throws(EvidenceError) {
        self = try signed.read(Self.step) { (json) throws(JSONError) in try Self(json) }
    }

    private init(_ json: JSON) throws(JSONError) {
        var reader = try JSONReader(json, at: "tcbInfo")
        try reader.expect("id", "TDX")
        try reader.expect("version", 3)
        // The kind of comparison: 0 is component by component.
        try reader.expect("tcbType", 0)
        self.fmspc = try reader.hex("fmspc", count: 6)
        self.pceID = try reader.hex("pceId", count: 2)
        self.validity = try reader.window()
        self.evaluation = Int(try reader.integer("tcbEvaluationDataNumber", in: 0...Int64(Int32.max)))
        self.levels = try reader.list("tcbLevels", PlatformLevel.init(_:at:)).sorted(by: PlatformLevel.isHigher)
        self.module = try ModuleIdentity(base: reader.required("tdxModule"), at: "tcbInfo.tdxModule")
        self.modules =
            try reader.optional("tdxModuleIdentities") == nil
            ? [] : reader.list("tdxModuleIdentities", ModuleIdentity.init(_:at:))
    }

    /// What Intel says of the platform. Throws `.refused` where it has none of the levels.
    func assess(_ pck: PCKIdentity, _ report: TDReport) throws(EvidenceError) -> TCBAssessment {
        guard let level = levels.first(where: { $0.isReached(by: pck, teeTCB: report.teeTCB) }) else {
            throw EvidenceError(
                .refused, step: Self.step,
                detail: "no level for components \(Hex.encode(pck.components)), PCE \(pck.pceSVN) and "
                    + "TDX \(Hex.encode(report.teeTCB))")
        }
        return level.assessment
    }

    /// What Intel says of the TDX module; nil for one without a major version, whose levels are the platform's. Throws
    /// `.refused` for a module that is not Intel's or has none of the levels.
    func assessModule(_ report: TDReport) throws(EvidenceError) -> TCBAssessment? {
        let (svn, major) = (report.teeTCB[0], report.teeTCB[1])
        guard let identity = major == 0 ? module : modules.first(where: { $0.major == major }) else {
            throw refused("version \(major) of the module is not in the TCB info")
        }
        guard report.mrSignerSEAM == identity.signer else { throw refused("the module is signed by another than Intel") }
        let attributes = TDXField.seamAttributes.bytes(of: report.raw)
        guard zip(attributes, identity.attributesMask).map({ $0 & $1 }) == identity.attributes else {
            throw refused("its attributes are \(Hex.encode(attributes)), not \(Hex.encode(identity.attributes))")
        }
        guard major > 0 else { return nil }
        guard let assessment = SVNLevel.highest(of: identity.levels, reachedBy: Int(svn)) else {
            throw refused("no level for version \(major).\(svn)")
        }
        return assessment
    }

    private func refused(_ detail: String) -> EvidenceError { EvidenceError(.refused, step: "TDX module", detail: detail) }
}

/// A TDX module by major version: who signs it and what its attributes must be.
private struct ModuleIdentity: Sendable {
    /// Byte 1 of TEE_TCB_SVN; nil where the id is not one of a TDX module.
    let major: UInt8?
    /// 48 bytes.
    let signer: [UInt8]
    /// 8 bytes each.
    let attributes: [UInt8]
    let attributesMask: [UInt8]
    let levels: [SVNLevel]

    /// With an id such as `TDX_01`, and levels.
    init(_ json: JSON, at place: String) throws(JSONError) {
        var reader = try JSONReader(json, at: place)
        let id = try reader.string("id")
        let major = id.hasPrefix("TDX_") ? Hex.decode(id.dropFirst(4)) : nil
        try self.init(
            major: major?.count == 1 ? major?.first : nil, levels: reader.list("tcbLevels", SVNLevel.init(_:at:)), &reader)
    }

    /// The module without a major version, which has neither.
    init(base json: JSON, at place: String) throws(JSONError) {
        var reader = try JSONReader(json, at: place)
        try self.init(major: nil, levels: [], &reader)
    }

    private init(major: UInt8?, levels: [SVNLevel], _ reader: inout JSONReader) throws(JSONError) {
        self.major = major
        self.levels = levels
        self.signer = try reader.hex("mrsigner", count: 48)
        self.attributes = try reader.hex("attributes", count: 8)
        self.attributesMask = try reader.hex("attributesMask", count: 8)
    }
}
