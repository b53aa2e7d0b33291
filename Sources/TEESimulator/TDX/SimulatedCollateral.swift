// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import PinKit

/// What Intel's service would answer about the simulated platform, signed below the simulated root: for `--collateral`.
public struct SimulatedCollateral: Sendable {
    /// What is wrong with it, for a verifier that must notice.
    public enum Flaw: String, Sendable, CaseIterable {
        /// Issued 60 days ago, and no newer one was fetched.
        case expired
        /// A figure of the TCB info is changed after signing.
        case tamperedTCBInfo = "tampered-tcb-info"
        /// A figure of the QE identity is changed after signing.
        case tamperedQEIdentity = "tampered-qe-identity"
        /// The root's list names the certificate of the platform CA.
        case revokedCA = "revoked-ca"
        /// The TCB info is of another kind of platform.
        case foreignFMSPC = "foreign-fmspc"

        /// For help texts.
        public var meaning: String {
            switch self {
            case .expired: "issued 60 days ago, for 30 days"
            case .tamperedTCBInfo: "the TCB info is changed after signing"
            case .tamperedQEIdentity: "the QE identity is changed after signing"
            case .revokedCA: "the root revokes the PCK platform CA"
            case .foreignFMSPC: "the TCB info is of other platforms"
            }
        }
    }

    /// Contents by file name, as docs/spec/broker.md names them.
    public let files: [(name: String, content: [UInt8])]

    /// Days that it holds, as Intel's does.
    private static let days: Int64 = 30
    private static let secondsPerDay: Int64 = 86_400

    /// `now`: seconds since 1970; the collateral was issued an hour before.
    public init(at now: Int64, flaw: Flaw? = nil) throws(SimulatorError) {
        let issued = now - 3600 - (flaw == .expired ? 60 * Self.secondsPerDay : 0)
        let window = issued...issued + Self.days * Self.secondsPerDay
        let root = try SimulatedCertificate(pem: SimulatedIntelKeys.rootCertificate)
        let authority = try SimulatedCertificate(pem: SimulatedIntelKeys.platformCACertificate)
        let signer = try SimulatedKey(pem: SimulatedIntelKeys.tcbSigning)
        var tcbInfo = try Self.signed("tcbInfo", Self.tcbInfo(window, flaw), by: signer)
        var identity = try Self.signed("enclaveIdentity", Self.qeIdentity(window), by: signer)
        if flaw == .tamperedTCBInfo { tcbInfo = Self.tampered(tcbInfo) }
        if flaw == .tamperedQEIdentity { identity = Self.tampered(identity) }
        let rootList = try SimulatedRevocationList.der(
            of: root, signedBy: SimulatedKey(pem: SimulatedIntelKeys.root), as: .intel,
            revoking: flaw == .revokedCA ? [try authority.serial()] : [], window: window)
        let pckList = try SimulatedRevocationList.der(
            of: authority, signedBy: SimulatedKey(pem: SimulatedIntelKeys.platformCA), as: .intel,
            revoking: [PCKSerial.revoked], window: window)
        let signerChain = Self.chain(SimulatedIntelKeys.tcbSigningCertificate)
        files = [
            ("tcb_info.json", Array(tcbInfo.utf8)), ("tcb_info_issuer_chain.pem", signerChain),
            ("qe_identity.json", Array(identity.utf8)), ("qe_identity_issuer_chain.pem", signerChain),
            ("pck_crl.der", pckList), ("pck_crl_issuer_chain.pem", Self.chain(SimulatedIntelKeys.platformCACertificate)),
            ("root_ca_crl.der", rootList),
        ]
    }

    private static func chain(_ certificate: String) -> [UInt8] {
        Array("\(certificate)\n\(SimulatedIntelKeys.rootCertificate)\n".utf8)
    }

    /// `{"NAME":{…},"signature":"…"}`; the signature is over the member's text.
    private static func signed(_ name: String, _ json: JSON, by key: SimulatedKey) throws(SimulatorError) -> String {
        let text = json.canonical
        return "{\"\(name)\":\(text),\"signature\":\"\(Hex.encode(try key.es256Signature(over: Array(text.utf8))))\"}"
    }

    /// Claims a later evaluation than was signed.
    private static func tampered(_ text: String) -> String {
        let parts = text.split(separator: "\"tcbEvaluationDataNumber\":\(SimulatedTCB.evaluation)")
        return parts.joined(separator: "\"tcbEvaluationDataNumber\":\(SimulatedTCB.evaluation + 1)")
    }
}

// MARK: - Contents

extension SimulatedCollateral {
    private static func tcbInfo(_ window: ClosedRange<Int64>, _ flaw: Flaw?) -> JSON {
        let fmspc = flaw == .foreignFMSPC ? TDXSettings.fmspc.map { ~$0 } : TDXSettings.fmspc
        return [
            "id": "TDX", "version": 3, "issueDate": timestamp(window.lowerBound), "nextUpdate": timestamp(window.upperBound),
            "fmspc": hex(fmspc), "pceId": hex(SimulatedTCB.pceID), "tcbType": 0,
            "tcbEvaluationDataNumber": .integer(Int64(SimulatedTCB.evaluation)), "tdxModule": .object(module),
            "tdxModuleIdentities": [.object(moduleIdentity)], "tcbLevels": .array(SimulatedTCB.levels.map(level)),
        ]
    }

    /// Intel's signature of the module: 48 zero bytes.
    private static var module: JSONObject {
        [
            "mrsigner": hex([UInt8](repeating: 0, count: 48)), "attributes": "0000000000000000",
            "attributesMask": "FFFFFFFFFFFFFFFF",
        ]
    }

    private static var moduleIdentity: JSONObject {
        var identity = module
        identity["id"] = "TDX_01"
        identity["tcbLevels"] = .array([
            svnLevel(SimulatedTCB.moduleSVN, "2025-02-12T00:00:00Z", "UpToDate"),
            svnLevel(2, "2023-08-09T00:00:00Z", "OutOfDate"),
        ])
        return identity
    }

    private static func level(_ level: SimulatedTCB.Level) -> JSON {
        let versions = { (bytes: [UInt8]) in JSON.array(bytes.map { ["svn": .integer(Int64($0))] }) }
        let tcb: JSON = [
            "sgxtcbcomponents": versions(level.sgx), "pcesvn": .integer(Int64(level.pceSVN)),
            "tdxtcbcomponents": versions(level.tdx),
        ]
        var members: JSONObject = ["tcb": tcb, "tcbDate": .string(level.date), "tcbStatus": .string(level.status)]
        if !level.advisories.isEmpty { members["advisoryIDs"] = .array(level.advisories.map { .string($0) }) }
        return .object(members)
    }

    private static func svnLevel(_ svn: Int, _ date: String, _ status: String) -> JSON {
        ["tcb": ["isvsvn": .integer(Int64(svn))], "tcbDate": .string(date), "tcbStatus": .string(status)]
    }

    private static func qeIdentity(_ window: ClosedRange<Int64>) -> JSON {
        [
            "id": "TD_QE", "version": 2, "issueDate": timestamp(window.lowerBound),
            "nextUpdate": timestamp(window.upperBound),
            "tcbEvaluationDataNumber": .integer(Int64(SimulatedTCB.evaluation)), "miscselect": "00000000",
            "miscselectMask": "FFFFFFFF", "attributes": "11000000000000000000000000000000",
            "attributesMask": "FBFFFFFFFFFFFFFF0000000000000000", "mrsigner": hex(QuotingEnclave.signer),
            "isvprodid": .integer(Int64(QuotingEnclave.productID)),
            "tcbLevels": [
                svnLevel(Int(SimulatedTCB.qeSVN), "2025-02-12T00:00:00Z", "UpToDate"),
                svnLevel(2, "2023-08-09T00:00:00Z", "OutOfDate"),
            ],
        ]
    }

    private static func hex(_ bytes: [UInt8]) -> JSON { .string(Hex.encode(bytes)) }

    /// RFC 3339, in UTC.
    private static func timestamp(_ seconds: Int64) -> JSON {
        var moment = time_t(seconds)
        var parts = unsafe tm()
        unsafe gmtime_r(&moment, &parts)
        var text = [CChar](repeating: 0, count: 32)
        let count = unsafe strftime(&text, text.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
        return .string(String(decoding: text.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }
}
