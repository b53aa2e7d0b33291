// SPDX-License-Identifier: Apache-2.0
import Attestation
import COpenSSL
import PinKit
import TEE

/// A platform with TDX, its guest's quote, its PCK chain, and what "Intel" publishes about it: all signed for real, below a
/// root made for the run, and right in every point that a test does not change.
struct FakeIntel {
    // The quote.
    var version: UInt16 = 4
    var report: [UInt8]
    var qeReport: [UInt8]
    var qeAuthentication = [UInt8](0..<32)
    var qeVendor = Hex.decode("939a7233f79c4ca9940a0db3957f0607")!
    var attestationPoint = TestKey.attestation.point
    var quoteSigner = TestKey.attestation
    var qeSigner = TestKey.pck
    /// Whether the QE report is about the attestation key.
    var isBound = true
    var padding = 0

    // Its certificates.
    var rootDER = FakeIntel.root
    var ca = CertificateDraft(subject: "Intel SGX PCK Platform CA", below: .root, key: .ca, serial: 11, isAuthority: true)
    var pck = CertificateDraft(subject: "Intel SGX PCK Certificate", below: .ca, key: .pck, serial: 12, isAuthority: false)
    var sgx = SGXExtension()

    // What is published.
    var signing = CertificateDraft(
        subject: "Intel SGX TCB Signing", below: .root, key: .signing, serial: 13, isAuthority: false)
    var tcbInfo = TCBInfoDraft()
    var qeIdentity = QEIdentityDraft()
    var tcbSigner = TestKey.signing
    var pckList = RevocationListDraft(issuer: "Intel SGX PCK Platform CA", signer: .ca, digest: .sha256)
    var rootList = RevocationListDraft(issuer: "Intel SGX Root CA", signer: .root, digest: .sha256)
    /// Changes a part after it was signed.
    var tampering: (inout TDXCollateral) -> Void = { _ in }

    static let now: Int64 = 1_800_000_000
    static let root = CertificateDraft(
        subject: "Intel SGX Root CA", below: .root, key: .root, serial: 10, isAuthority: true
    ).der()
    static let anchors = try! TDXTrustAnchors.intel.addingSimulated(root: root)

    /// A guest of TDX 1.0 with module 1.6 and nothing measured at run time.
    init() {
        report = [UInt8](repeating: 0, count: TDReport.byteCount10)
        qeReport = [UInt8](repeating: 0, count: QEReport.byteCount)
        self[.teeTCB] = [6, 1, 3] + [UInt8](repeating: 0, count: 13)
        self[.tdAttributes] = [0, 0, 0, 0x10, 0, 0, 0, 0]
        self[.xfam] = [0xe7, 0, 6, 0, 0, 0, 0, 0]
        self[.mrTD] = [UInt8](repeating: 0x4d, count: 48)
        self[.mrSEAM] = [UInt8](repeating: 0x5e, count: 48)
        TDXField.qeAttributes.put([0x15] + [UInt8](repeating: 0, count: 15), into: &qeReport)
        TDXField.qeMRSigner.put([UInt8](repeating: 0xdc, count: 32), into: &qeReport)
        TDXField.qeProductID.put(2, into: &qeReport)
        TDXField.qeSVN.put(6, into: &qeReport)
    }

    /// The same as a guest of TDX 1.5.
    static func version5() -> FakeIntel {
        var intel = FakeIntel()
        intel.version = 5
        intel.report += [UInt8](repeating: 0, count: TDReport.byteCount15 - TDReport.byteCount10)
        intel[.teeTCB2] = [7, 1, 3] + [UInt8](repeating: 0, count: 13)
        return intel
    }

    /// A field of the TD report.
    subscript(field: TDXField) -> [UInt8] {
        get { field.bytes(of: report) }
        set { field.put(newValue, into: &report) }
    }

    /// Extends an RTMR and gives the event for the log.
    mutating func extend(_ rtmr: Int, _ type: String, _ data: String) -> EventLog.Event {
        let event = EventLog.Event(
            rtmr: rtmr, type: EventType(name: type)!, digest: Digest.sha384(Array(data.utf8)), data: Array(data.utf8))
        var registers = self[.rtmrs]
        let range = rtmr * 48..<(rtmr + 1) * 48
        registers.replaceSubrange(range, with: Digest.sha384(registers[range] + event.digest))
        self[.rtmrs] = registers
        return event
    }

    func quote() -> [UInt8] {
        var qe = qeReport
        let key = isBound ? attestationPoint : TestKey.p256.point
        let binding = Digest.sha256(key + qeAuthentication)
        if TDXField.qeReportData.bytes(of: qe).allSatisfy({ $0 == 0 }) {
            TDXField.qeReportData.put(binding + [UInt8](repeating: 0, count: 32), into: &qe)
        }
        let signed = TDXQuote.signedBytes(of: TDReport(report)!, version: version, vendor: qeVendor)
        let signature = TDXQuoteSignature(
            signature: quoteSigner.signES256(signed), attestationKey: attestationPoint, qeReport: QEReport(qe)!,
            qeReportSignature: qeSigner.signES256(qe), qeAuthentication: qeAuthentication, certificates: chain() + [0])
        return TDXQuote.encode(signed: signed, signature: signature) + [UInt8](repeating: 0, count: padding)
    }

    private func chain() -> [UInt8] {
        var pck = pck
        pck.extensions.append((SGXExtension.oid, sgx.der, false))
        return pem([pck.der(), ca.der(), rootDER])
    }

    func collateral() -> TDXCollateral {
        var collateral = TDXCollateral()
        let signingChain = pem([signing.der(), rootDER])
        collateral[.tcbInfo] = signedAnswer("tcbInfo", tcbInfo.json)
        collateral[.tcbInfoIssuerChain] = signingChain
        collateral[.qeIdentity] = signedAnswer("enclaveIdentity", qeIdentity.json)
        collateral[.qeIdentityIssuerChain] = signingChain
        collateral[.pckRevocationList] = pckList.der()
        collateral[.pckRevocationListIssuerChain] = pem([ca.der(), rootDER])
        collateral[.rootRevocationList] = rootList.der()
        tampering(&collateral)
        return collateral
    }

    private func signedAnswer(_ member: String, _ json: JSON) -> [UInt8] {
        let body = json.compact
        let signature = Hex.encode(tcbSigner.signES256(Array(body.utf8)))
        return Array("{\"\(member)\":\(body),\"signature\":\"\(signature)\"}".utf8)
    }

    func pem(_ certificates: [[UInt8]]) -> [UInt8] {
        var text = ""
        for der in certificates {
            let base64 = Array(Base64.encode(der))
            text += "-----BEGIN CERTIFICATE-----\n"
            for start in stride(from: 0, to: base64.count, by: 64) { text += String(base64[start...].prefix(64)) + "\n" }
            text += "-----END CERTIFICATE-----\n"
        }
        return Array(text.utf8)
    }

    func verifier() throws(EvidenceError) -> TDXVerifier {
        try TDXVerifier(anchors: Self.anchors, collateral: [collateral()])
    }

    @discardableResult
    func verify(at seconds: Int64 = FakeIntel.now, eventLog: [UInt8]? = nil) throws(EvidenceError) -> GenuineTDX {
        try verifier().verify(quote: quote(), eventLog: eventLog, at: seconds)
    }
}

// MARK: - Keys and certificates

extension TestKey {
    static let root = newP256()
    static let ca = newP256()
    static let pck = newP256()
    static let signing = newP256()
    static let attestation = newP256()

    /// x ‖ y of a key on P-256.
    var point: [UInt8] {
        var point = [UInt8](repeating: 0, count: 65)
        precondition(unsafe cvm_p256_point(key, &point) == 1)
        return Array(point.dropFirst())
    }

    /// r ‖ s over `message` with SHA-256.
    func signES256(_ message: [UInt8]) -> [UInt8] {
        var signature = [UInt8](repeating: 0, count: 64)
        precondition(unsafe cvm_sign_es256(key, message, message.count, &signature) == 1)
        return signature
    }
}

extension CertificateDraft {
    /// One of Intel's, below its root or the PCK CA.
    init(subject: String, below signer: TestKey, key: TestKey, serial: Int, isAuthority: Bool) {
        self.init(
            subject: subject, issuer: signer === TestKey.root ? "Intel SGX Root CA" : "Intel SGX PCK Platform CA",
            serial: serial, key: key, signer: signer)
        self.isAuthority = isAuthority
    }

    /// basicConstraints and keyUsage.
    var isAuthority: Bool {
        get { extensions.contains { $0.oid == "2.5.29.19" && $0.content.count > 2 } }
        set {
            extensions.removeAll { ["2.5.29.19", "2.5.29.15"].contains($0.oid) }
            extensions.append(("2.5.29.19", newValue ? [0x30, 3, 1, 1, 0xff] : [0x30, 0], true))
            extensions.append(("2.5.29.15", newValue ? [3, 2, 1, 6] : [3, 2, 6, 0xc0], true))
        }
    }
}

/// The extension of a PCK certificate that says of which platform it is.
struct SGXExtension {
    var ppid: [UInt8] = [UInt8](repeating: 0x9d, count: 16)
    var fmspc: [UInt8] = [0xb0, 0xc0, 0x6f, 0, 0, 0]
    var pceID: [UInt8] = [0, 0]
    var components = [3, 3, 2, 2, 4, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 200]
    var pceSVN = 11
    /// Numbers of parts that are left out.
    var missing: Set<UInt8> = []

    static let oid = "1.2.840.113741.1.13.1"
    private static let arc: [UInt8] = [0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01]

    var der: [UInt8] {
        var levels: [UInt8] = []
        for (index, svn) in (components + [pceSVN]).enumerated() {
            levels += Self.part([2, UInt8(index + 1)], Self.value(0x02, Self.integer(svn)))
        }
        levels += Self.part([2, 18], Self.value(0x04, components.map { UInt8($0) }))
        let parts: [(UInt8, [UInt8])] = [
            (1, Self.value(0x04, ppid)), (2, Self.value(0x30, levels)), (3, Self.value(0x04, pceID)),
            (4, Self.value(0x04, fmspc)), (5, [0x0a, 1, 1]),
        ]
        return Self.value(0x30, parts.filter { !missing.contains($0.0) }.flatMap { Self.part([$0.0], $0.1) })
    }

    private static func part(_ suffix: [UInt8], _ content: [UInt8]) -> [UInt8] {
        value(0x30, value(0x06, arc + suffix) + content)
    }

    private static func integer(_ number: Int) -> [UInt8] {
        let bytes = [UInt8(number >> 8), UInt8(number & 0xff)]
        let short = bytes[0] == 0 ? [bytes[1]] : bytes
        return short[0] >= 0x80 ? [0] + short : short
    }

    private static func value(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        switch content.count {
        case 0..<0x80: [tag, UInt8(content.count)] + content
        case 0..<0x100: [tag, 0x81, UInt8(content.count)] + content
        default: [tag, 0x82, UInt8(content.count >> 8), UInt8(content.count & 0xff)] + content
        }
    }
}

// MARK: - Documents

struct TCBInfoDraft {
    var id = "TDX"
    var version: Int64 = 3
    var tcbType: Int64 = 0
    var validity: ClosedRange<Int64> = 1_799_000_000...1_801_000_000
    var fmspc = "B0C06F000000"
    var pceID = "0000"
    var evaluation: Int64 = 18
    var levels = [
        PlatformLevelDraft(),
        PlatformLevelDraft(
            sgx: [2, 2, 2, 2, 3, 1, 0, 5], tdx: [5, 0, 2], pceSVN: 11, status: "OutOfDate",
            advisories: ["INTEL-SA-01036", "INTEL-SA-01079"]),
    ]
    var base = ModuleDraft(id: nil)
    var modules = [
        ModuleDraft(id: "TDX_03", levels: [SVNLevelDraft(svn: 3)]),
        ModuleDraft(
            id: "TDX_01",
            levels: [
                SVNLevelDraft(svn: 6),
                SVNLevelDraft(svn: 4, status: "OutOfDate", advisories: ["INTEL-SA-01099", "INTEL-SA-01036"]),
            ]),
    ]

    var json: JSON {
        [
            "id": .string(id), "version": .integer(version), "issueDate": .string(Timestamp.text(validity.lowerBound)),
            "nextUpdate": .string(Timestamp.text(validity.upperBound)), "fmspc": .string(fmspc), "pceId": .string(pceID),
            "tcbType": .integer(tcbType), "tcbEvaluationDataNumber": .integer(evaluation), "tdxModule": base.json,
            "tdxModuleIdentities": .array(modules.map(\.json)), "tcbLevels": .array(levels.map(\.json)),
        ]
    }
}

struct PlatformLevelDraft {
    /// Components that are not given are 0.
    var sgx = [3, 3, 2, 2, 4, 1, 0, 5]
    var tdx = [5, 0, 3]
    var pceSVN: Int64 = 11
    var status = "UpToDate"
    var advisories: [String] = []

    var json: JSON {
        let tcb: JSON = [
            "sgxtcbcomponents": Self.components(sgx), "pcesvn": .integer(pceSVN), "tdxtcbcomponents": Self.components(tdx),
        ]
        return level(tcb, status, advisories)
    }

    private static func components(_ svns: [Int]) -> JSON {
        .array((0..<16).map { ["svn": .integer(Int64($0 < svns.count ? svns[$0] : 0))] })
    }
}

struct SVNLevelDraft {
    var svn: Int64
    var status = "UpToDate"
    var advisories: [String] = []

    var json: JSON { level(["isvsvn": .integer(svn)], status, advisories) }
}

private func level(_ tcb: JSON, _ status: String, _ advisories: [String]) -> JSON {
    var members: JSONObject = ["tcb": tcb, "tcbDate": "2024-11-13T00:00:00Z", "tcbStatus": .string(status)]
    members["advisoryIDs"] = advisories.isEmpty ? nil : .array(advisories.map { .string($0) })
    return .object(members)
}

struct ModuleDraft {
    var id: String?
    var signer = String(repeating: "0", count: 96)
    var attributes = "0000000000000000"
    var attributesMask = "FFFFFFFFFFFFFFFF"
    var levels: [SVNLevelDraft] = []

    var json: JSON {
        var members: JSONObject = [
            "mrsigner": .string(signer), "attributes": .string(attributes), "attributesMask": .string(attributesMask),
        ]
        members["id"] = id.map { .string($0) }
        members["tcbLevels"] = id == nil ? nil : .array(levels.map(\.json))
        return .object(members)
    }
}

struct QEIdentityDraft {
    var id = "TD_QE"
    var version: Int64 = 2
    var validity: ClosedRange<Int64> = 1_799_500_000...1_801_500_000
    var evaluation: Int64 = 19
    var productID: Int64 = 2
    var levels = [SVNLevelDraft(svn: 6), SVNLevelDraft(svn: 4, status: "OutOfDate", advisories: ["INTEL-SA-00837"])]

    var json: JSON {
        [
            "id": .string(id), "version": .integer(version), "issueDate": .string(Timestamp.text(validity.lowerBound)),
            "nextUpdate": .string(Timestamp.text(validity.upperBound)), "tcbEvaluationDataNumber": .integer(evaluation),
            "miscselect": "00000000", "miscselectMask": "FFFFFFFF", "attributes": "11000000000000000000000000000000",
            "attributesMask": "FBFFFFFFFFFFFFFF0000000000000000", "mrsigner": .string(String(repeating: "DC", count: 32)),
            "isvprodid": .integer(productID), "tcbLevels": .array(levels.map(\.json)),
        ]
    }
}
