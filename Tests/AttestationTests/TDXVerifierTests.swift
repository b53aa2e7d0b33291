// SPDX-License-Identifier: Apache-2.0
import Attestation
import COpenSSL
import PinKit
import TEE
import Testing

/// A change that keeps evidence from being genuine, and a piece of what is said about it.
private struct Flaw: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let reason: String
    let code: EvidenceError.Code
    let change: @Sendable (inout FakeIntel) -> Void

    init(
        _ name: String, _ reason: String, _ code: EvidenceError.Code = .refused,
        change: @escaping @Sendable (inout FakeIntel) -> Void
    ) {
        self.testDescription = name
        self.reason = reason
        self.code = code
        self.change = change
    }
}

@Suite struct TDXVerifierTests {
    @Test func `quotes of both versions and of both kinds of report are genuine`() throws {
        let genuine = try FakeIntel().verify()
        #expect(genuine.isSimulated && genuine.tcbStatus == .upToDate && genuine.advisories.isEmpty)
        #expect(genuine.fmspc == [0xb0, 0xc0, 0x6f, 0, 0, 0] && genuine.ppid == [UInt8](repeating: 0x9d, count: 16))
        #expect(genuine.tcbEvaluation == 18 && genuine.tcbDate == Timestamp.seconds("2024-11-13T00:00:00Z"))
        #expect(genuine.report.mrServiceTD == nil)
        #expect(try FakeIntel.version5().verify().report.mrServiceTD == [UInt8](repeating: 0, count: 48))
        var old = FakeIntel()
        old.version = 5
        #expect(try old.verify().report.teeTCB2 == nil)
    }

    @Test func `padding behind a quote is not part of it`() throws {
        var intel = FakeIntel()
        intel.padding = 3000
        let quote = intel.quote()
        let parsed = try TDXQuote(parsing: quote)
        #expect(parsed.raw == quote.dropLast(3000))
        #expect(try intel.verifier().verify(quote: quote, at: FakeIntel.now).report == parsed.report)
    }

    @Test func `a simulator's quote is refused where only Intel's root is trusted`() throws {
        let intel = FakeIntel()
        let verifier = try TDXVerifier(anchors: .intel, collateral: [])
        #expect(throws: EvidenceError(.refused)) { try verifier.verify(quote: intel.quote(), at: FakeIntel.now) }
        #expect(throws: EvidenceError(.refused)) { try TDXVerifier(anchors: .intel, collateral: [intel.collateral()]) }
    }

    @Test(arguments: quoteFlaws + enclaveFlaws + certificateFlaws + collateralFlaws + levelFlaws)
    private func `evidence with one flaw is not genuine`(flaw: Flaw) throws {
        var intel = FakeIntel()
        flaw.change(&intel)
        let error = #expect(throws: EvidenceError(flaw.code)) { try intel.verify() }
        #expect(error.map { "\($0)".contains(flaw.reason) } == true, "\(String(describing: error))")
    }

    private static let quoteFlaws = [
        Flaw("signed by another key", "quote signature: not by the attestation key") { $0.quoteSigner = .p256 },
        Flaw("swapped attestation key", "not the one that the QE report is about") {
            $0.isBound = false
        },
        Flaw("something behind the binding", "not the one that the QE report is about") {
            let binding = Digest.sha256($0.attestationPoint + $0.qeAuthentication)
            TDXField.qeReportData.put(binding + [1] + [UInt8](repeating: 0, count: 31), into: &$0.qeReport)
        },
        Flaw("QE report signed by another key", "QE report signature: not by the key of the PCK") { $0.qeSigner = .ca },
        Flaw("an attestation key that is no point", "not a point on P-256") { $0.attestationPoint = [UInt8](1...64) },
        Flaw("XFAM without SSE", "XFAM is 0x1") { $0[.xfam] = [1, 0, 0, 0, 0, 0, 0, 0] },
        Flaw("another QE vendor", "its vendor is 00") { $0.qeVendor = [UInt8](repeating: 0, count: 16) },
    ]

    private static let enclaveFlaws = [
        Flaw("another signer's enclave", "who is not Intel") {
            TDXField.qeMRSigner.put([UInt8](repeating: 0xdd, count: 32), into: &$0.qeReport)
        },
        Flaw("another enclave of Intel's", "product 1, not 2") { TDXField.qeProductID.put(1, into: &$0.qeReport) },
        Flaw("a debug enclave", "its attributes are 17") {
            TDXField.qeAttributes.put([0x17] + [UInt8](repeating: 0, count: 15), into: &$0.qeReport)
        },
        Flaw("MISCSELECT", "MISCSELECT is 01000000") { TDXField.qeMiscSelect.put(1, into: &$0.qeReport) },
        Flaw("enclave below all levels", "no level for version 3") { TDXField.qeSVN.put(3, into: &$0.qeReport) },
        Flaw("module of another signer", "signed by another than Intel") {
            $0[.mrSignerSEAM] = [UInt8](repeating: 1, count: 48)
        },
        Flaw("module with attributes", "its attributes are 0100") { $0[.seamAttributes] = [1, 0, 0, 0, 0, 0, 0, 0] },
        Flaw("module SVN too low", "TDX module: no level for version 1.3") {
            $0[.teeTCB] = [3, 1, 3] + [UInt8](repeating: 0, count: 13)
        },
        Flaw("a module that is not known", "version 2 of the module") {
            $0[.teeTCB] = [6, 2, 3] + [UInt8](repeating: 0, count: 13)
        },
        Flaw("old module of another signer", "signed by another than Intel") {
            $0[.teeTCB] = [6, 0, 3] + [UInt8](repeating: 0, count: 13)
            $0.tcbInfo.base.signer = String(repeating: "11", count: 48)
        },
    ]

    private static let certificateFlaws = [
        Flaw("PCK expired", "Intel SGX PCK Certificate has expired") { $0.pck.validity = 1_700_000_000...1_799_999_999 },
        Flaw("PCK not valid yet", "Intel SGX PCK Certificate is not valid yet") {
            $0.pck.validity = 1_800_000_001...1_900_000_000
        },
        Flaw("PCK revoked", "PCK certificate: it is revoked") { $0.pckList.serials = [1, 12] },
        Flaw("PCK signed by the root", "not signed by the Intel SGX PCK Platform CA") { $0.pck.signer = .root },
        Flaw("PCK of another name", "its subject is Intel SGX TCB Signing") { $0.pck.subject = "Intel SGX TCB Signing" },
        Flaw("PCK of another issuer's name", "not signed by the Intel SGX PCK Platform CA") {
            $0.pck.issuer = "Intel SGX PCK Processor CA"
        },
        Flaw("PCK with SHA-384", "not signed by the Intel SGX PCK Platform CA") { $0.pck.usesSHA384 = true },
        Flaw("PCK with an RSA key", "its key is not on P-256") { $0.pck.key = .ask },
        Flaw("CA expired", "Intel SGX PCK Platform CA has expired") { $0.ca.validity = 1_700_000_000...1_799_999_999 },
        Flaw("CA revoked", "Intel SGX PCK Platform CA is revoked") { $0.rootList.serials = [11] },
        Flaw("CA that is none", "does not sign PCKs") { $0.ca.isAuthority = false },
        Flaw("CA of another root", "is not signed by the Intel SGX Root CA") { $0.ca.signer = .p256 },
        Flaw("TCB signer as CA", "does not sign PCKs", change: makeSignerTheCA),
        Flaw("no SGX extension", "(1.2.840.113741.1.13.1) is not as specified", .malformed) { $0.sgx.missing = [4] },
        Flaw("TCB missing", "(1.2.840.113741.1.13.1) is not as specified", .malformed) { $0.sgx.missing = [2] },
        Flaw("a short FMSPC", "is not as specified", .malformed) { $0.sgx.fmspc = [1, 2, 3, 4, 5] },
        Flaw("wrong FMSPC", "none here for FMSPC 00806f050000", .unavailable) {
            $0.sgx.fmspc = [0, 0x80, 0x6f, 5, 0, 0]
        },
        Flaw("wrong PCEID", "none here for FMSPC b0c06f000000", .unavailable) { $0.sgx.pceID = [1, 0] },
    ]

    /// The chain of the quote only: the collateral keeps its own.
    @Sendable private static func makeSignerTheCA(_ intel: inout FakeIntel) {
        let collateral = intel.collateral()
        intel.tampering = { $0 = collateral }
        intel.ca = intel.signing
        intel.pck.issuer = intel.signing.subject
        intel.pck.signer = .signing
    }

    private static let collateralFlaws = [
        Flaw("TCB info tampered with", "TCB info: not signed by the Intel SGX TCB Signing") {
            $0.tampering = { $0.replace(in: .tcbInfo, "OutOfDate", "UpToDate") }
        },
        Flaw("QE identity tampered with", "QE identity: not signed by the Intel SGX TCB Signing") {
            $0.tampering = { $0.replace(in: .qeIdentity, "\"isvsvn\":4", "\"isvsvn\":1") }
        },
        Flaw("TCB info with a space more", "not signed") {
            $0.tampering = { $0.replace(in: .tcbInfo, "\"version\":3", "\"version\": 3") }
        },
        Flaw("a member added beside the signature", "not an object with tcbInfo and signature", .malformed) {
            $0.tampering = { $0.replace(in: .tcbInfo, ",\"signature\"", ",\"other\":{},\"signature\"") }
        },
        Flaw("TCB info twice", "not an object with tcbInfo and signature", .malformed) {
            $0.tampering = { $0.replace(in: .tcbInfo, "{\"tcbInfo\"", "{\"tcbInfo\":{},\"tcbInfo\"") }
        },
        Flaw("signed by the PCK", "not signed by the Intel SGX TCB Signing") { $0.tcbSigner = .pck },
        Flaw("signer of another name", "it is signed by Intel SGX PCK Certificate") {
            $0.signing.subject = "Intel SGX PCK Certificate"
        },
        Flaw("signer below another root", "is not signed by the Intel SGX Root CA") { $0.signing.signer = .p256 },
        Flaw("signer expired", "TCB Signing of the TCB info has expired") {
            $0.signing.validity = 1_700_000_000...1_799_999_999
        },
        Flaw("signer revoked", "Intel SGX TCB Signing is revoked") { $0.rootList.serials = [13] },
        Flaw("TCB info for SGX", "tcbInfo.id: is not \"TDX\"", .malformed) { $0.tcbInfo.id = "SGX" },
        Flaw("TCB info of version 2", "tcbInfo.version: is not 3", .malformed) { $0.tcbInfo.version = 2 },
        Flaw("TCB type", "tcbInfo.tcbType: is not 0", .malformed) { $0.tcbInfo.tcbType = 1 },
        Flaw("identity of the SGX enclave", "enclaveIdentity.id: is not \"TD_QE\"", .malformed) { $0.qeIdentity.id = "QE" },
        Flaw("TCB info expired", "TCB info has expired", .unavailable) {
            $0.tcbInfo.validity = 1_799_000_000...1_799_999_999
        },
        Flaw("TCB info not issued yet", "TCB info is not valid yet", .unavailable) {
            $0.tcbInfo.validity = 1_800_000_001...1_801_000_000
        },
        Flaw("QE identity expired", "QE identity has expired", .unavailable) {
            $0.qeIdentity.validity = 1_799_000_000...1_799_999_999
        },
        Flaw("PCK CRL expired", "PCK CRL has expired", .unavailable) { $0.pckList.validity = 1_799_000_000...1_799_999_999 },
        Flaw("root CRL expired", "root CRL has expired", .unavailable) {
            $0.rootList.validity = 1_799_000_000...1_799_999_999
        },
        Flaw("PCK CRL signed by another", "PCK CRL: not signed") { $0.pckList.signer = .signing },
        Flaw("root CRL signed by another", "root CRL: not signed") { $0.rootList.signer = .ca },
        Flaw("PCK CRL of the root", "PCK CRL: not signed by the Intel SGX PCK Platform CA") { $0.pckList = $0.rootList },
    ]

    private static let levelFlaws = [
        Flaw("component too low", "no level for components 0303010204010005") { $0.sgx.components[2] = 1 },
        Flaw("last component too low", "no level for components") {
            $0.tcbInfo.levels = [PlatformLevelDraft(sgx: [Int](repeating: 0, count: 15) + [201])]
        },
        Flaw("PCE too old", "PCE 10 and") { $0.sgx.pceSVN = 10 },
        Flaw("TDX component too low", "TDX 060101") { $0[.teeTCB] = [6, 1, 1] + [UInt8](repeating: 0, count: 13) },
        Flaw("old module below all levels", "no level for components") {
            $0[.teeTCB] = [4, 0, 3] + [UInt8](repeating: 0, count: 13)
        },
        Flaw("platform revoked", "Intel has revoked") { $0.tcbInfo.levels[0].status = "Revoked" },
        Flaw("module revoked", "Intel has revoked") { $0.tcbInfo.modules[1].levels[0].status = "Revoked" },
        Flaw("enclave revoked", "Intel has revoked") { $0.qeIdentity.levels[0].status = "Revoked" },
        Flaw("a status of the future", "tcbStatus: Fine is not known here", .malformed) {
            $0.tcbInfo.levels[1].status = "Fine"
        },
    ]

    @Test(arguments: TDXCollateral.Part.allCases)
    func `without a part of the collateral nothing can be told`(part: TDXCollateral.Part) {
        var intel = FakeIntel()
        intel.tampering = { $0[part] = nil }
        let error = #expect(throws: EvidenceError(.unavailable)) { try intel.verify() }
        #expect(error?.detail == "\(part.rawValue) is missing")
    }

    @Test(arguments: TDXCollateral.Part.allCases)
    func `a part of the collateral that is cut off is malformed`(part: TDXCollateral.Part) {
        for count in [0, 1, 40] {
            var intel = FakeIntel()
            intel.tampering = { $0[part] = Array($0[part]!.prefix(count)) }
            #expect(throws: EvidenceError(.malformed)) { try intel.verify() }
        }
    }

    @Test func `a forged quote is refused whether there is collateral or not`() throws {
        var intel = FakeIntel()
        intel.quoteSigner = .p256
        let verifier = try TDXVerifier(anchors: FakeIntel.anchors, collateral: [])
        #expect(throws: EvidenceError(.refused)) { try verifier.verify(quote: intel.quote(), at: FakeIntel.now) }
        #expect(throws: EvidenceError(.unavailable)) { try verifier.verify(quote: FakeIntel().quote(), at: FakeIntel.now) }
    }

    @Test func `collateral of one root does not judge quotes of another`() throws {
        let other = CertificateDraft(subject: "Intel SGX Root CA", below: .p256, key: .p256, serial: 10, isAuthority: true)
        var otherDraft = other
        otherDraft.issuer = "Intel SGX Root CA"
        let otherRoot = otherDraft.der()
        let anchors = try FakeIntel.anchors.addingSimulated(root: otherRoot)
        var stranger = FakeIntel()
        stranger.rootDER = otherRoot
        stranger.ca.signer = .p256
        stranger.signing.signer = .p256
        stranger.rootList.signer = .p256
        let verifier = try TDXVerifier(anchors: anchors, collateral: [stranger.collateral()])
        #expect(throws: Never.self) { try verifier.verify(quote: stranger.quote(), at: FakeIntel.now) }
        #expect(throws: EvidenceError(.unavailable)) { try verifier.verify(quote: FakeIntel().quote(), at: FakeIntel.now) }
        var mixed = stranger.collateral()
        mixed[.qeIdentity] = FakeIntel().collateral()[.qeIdentity]
        mixed[.qeIdentityIssuerChain] = FakeIntel().collateral()[.qeIdentityIssuerChain]
        let error = #expect(throws: EvidenceError(.refused)) { try TDXVerifier(anchors: anchors, collateral: [mixed]) }
        #expect(error?.detail == "its parts are signed below different roots")
    }

    @Test func `a revocation list of the other CA does not do`() throws {
        var other = FakeIntel()
        other.ca.subject = "Intel SGX PCK Processor CA"
        other.ca.key = .p256
        other.pckList.issuer = "Intel SGX PCK Processor CA"
        other.pckList.signer = .p256
        let verifier = try TDXVerifier(anchors: FakeIntel.anchors, collateral: [other.collateral()])
        let error = #expect(throws: EvidenceError(.unavailable)) {
            try verifier.verify(quote: FakeIntel().quote(), at: FakeIntel.now)
        }
        #expect(error?.detail == "no revocation list here of the Intel SGX PCK Platform CA")
        other.pck.issuer = "Intel SGX PCK Processor CA"
        other.pck.signer = .p256
        #expect(throws: Never.self) { try verifier.verify(quote: other.quote(), at: FakeIntel.now) }
    }

    @Test func `of several sets the best that is valid is taken`() throws {
        let next = FakeIntel.now + 2_000_000
        var (old, new) = (FakeIntel(), FakeIntel())
        new.tcbInfo.evaluation = 19
        new.tcbInfo.levels[0].status = "SWHardeningNeeded"
        let both = try TDXVerifier(anchors: FakeIntel.anchors, collateral: [old.collateral(), new.collateral()])
        #expect(try both.verify(quote: old.quote(), at: FakeIntel.now).tcbEvaluation == 19)
        #expect(try both.verify(quote: old.quote(), at: FakeIntel.now).tcbStatus == .swHardeningNeeded)
        new.tcbInfo.validity = next - 10...next + 10
        new.qeIdentity.validity = next - 10...next + 10
        let later = try TDXVerifier(anchors: FakeIntel.anchors, collateral: [old.collateral(), new.collateral()])
        #expect(try later.verify(quote: old.quote(), at: FakeIntel.now).tcbEvaluation == 18)
        #expect(try later.verify(quote: old.quote(), at: next).tcbEvaluation == 19)
        #expect(throws: EvidenceError(.unavailable)) { try later.verify(quote: old.quote(), at: next + 11) }
    }

    @Test func `a key that was seen before vouches for what it signed only`() throws {
        let verifier = try FakeIntel().verifier()
        var intel = FakeIntel()
        #expect(throws: Never.self) { try verifier.verify(quote: intel.quote(), at: FakeIntel.now) }
        let good = try TDXQuote(parsing: intel.quote())
        intel[.mrTD] = [UInt8](repeating: 1, count: 48)
        let signed = TDXQuote.signedBytes(of: try #require(TDReport(intel.report)), version: 4, vendor: intel.qeVendor)
        let forged = TDXQuote.encode(signed: signed, signature: good.signature)
        let error = #expect(throws: EvidenceError(.refused)) { try verifier.verify(quote: forged, at: FakeIntel.now) }
        #expect(error?.step == "quote signature")
    }

    @Test func `a chain that was seen before is judged anew by date`() throws {
        let intel = FakeIntel()
        let verifier = try intel.verifier()
        let quote = intel.quote()
        #expect(throws: Never.self) { try verifier.verify(quote: quote, at: FakeIntel.now) }
        #expect(throws: EvidenceError(.unavailable)) { try verifier.verify(quote: quote, at: FakeIntel.now + 2_000_000) }
        #expect(throws: EvidenceError(.refused)) { try verifier.verify(quote: quote, at: FakeIntel.now + 200_000_000) }
        #expect(throws: Never.self) { try verifier.verify(quote: quote, at: FakeIntel.now) }
    }

    @Test func `every flipped bit before the certificates is refused`() throws {
        let intel = FakeIntel.version5()
        let (quote, verifier) = (intel.quote(), try intel.verifier())
        #expect(throws: Never.self) { try verifier.verify(quote: quote, at: FakeIntel.now) }
        let certificates = try #require(quote.firstRange(of: Array("-----BEGIN".utf8)))
        for bit in 0..<certificates.lowerBound * 8 {
            var tampered = quote
            tampered[bit / 8] ^= 1 << (bit % 8)
            #expect(throws: EvidenceError.self, "bit \(bit)") { try verifier.verify(quote: tampered, at: FakeIntel.now) }
        }
    }

    @Test func `an event log must give the registers of its quote`() throws {
        var intel = FakeIntel()
        let events = [
            intel.extend(0, "EV_SEPARATOR", "a"), intel.extend(2, "EV_IPL", "b"), intel.extend(0, "EV_ACTION", "c"),
        ]
        #expect(try intel.verify(eventLog: EventLog(events: events).encoded).eventLog == EventLog(events: events))
        #expect(try intel.verify().eventLog == nil)
        for wrong in [Array(events.dropLast()), events.reversed(), events + [events[1]], []] {
            let error = #expect(throws: EvidenceError(.refused)) {
                try intel.verify(eventLog: EventLog(events: wrong).encoded)
            }
            #expect(error?.step == "event log")
        }
        #expect(throws: EvidenceError(.malformed)) { try intel.verify(eventLog: []) }
    }

    @Test(arguments: [
        ("UpToDate", "UpToDate", "UpToDate", TCBStatus.upToDate),
        ("SWHardeningNeeded", "UpToDate", "UpToDate", .swHardeningNeeded),
        ("SWHardeningNeeded", "UpToDate", "ConfigurationNeeded", .configurationAndSWHardeningNeeded),
        ("UpToDate", "OutOfDate", "UpToDate", .outOfDate), ("UpToDate", "UpToDate", "OutOfDate", .outOfDate),
        ("SWHardeningNeeded", "OutOfDate", "UpToDate", .outOfDate),
        ("ConfigurationNeeded", "OutOfDate", "UpToDate", .outOfDateConfigurationNeeded),
        ("OutOfDate", "UpToDate", "UpToDate", .outOfDate),
        ("ConfigurationAndSWHardeningNeeded", "UpToDate", "OutOfDate", .outOfDateConfigurationNeeded),
    ])
    func `the whole is as bad as the worst of its parts`(
        platform: String, module: String, qe: String, whole: TCBStatus
    ) throws {
        var intel = FakeIntel()
        intel.tcbInfo.levels[0].status = platform
        intel.tcbInfo.modules[1].levels[0].status = module
        intel.qeIdentity.levels[0].status = qe
        let genuine = try intel.verify()
        #expect(genuine.tcbStatus == whole && genuine.platformStatus.rawValue == platform)
        #expect(genuine.moduleStatus?.rawValue == module && genuine.qeStatus.rawValue == qe)
    }

    @Test func `advisories of all parts are named, each once`() throws {
        var intel = FakeIntel()
        intel.sgx.components[0] = 2
        intel[.teeTCB] = [5, 1, 3] + [UInt8](repeating: 0, count: 13)
        TDXField.qeSVN.put(5, into: &intel.qeReport)
        let genuine = try intel.verify()
        #expect(genuine.tcbStatus == .outOfDate)
        #expect(genuine.advisories == ["INTEL-SA-00837", "INTEL-SA-01036", "INTEL-SA-01079", "INTEL-SA-01099"])
    }

    @Test func `levels count from the highest, in whatever order they are listed`() throws {
        var intel = FakeIntel()
        intel.tcbInfo.levels.reverse()
        intel.tcbInfo.modules[1].levels.reverse()
        intel.qeIdentity.levels.reverse()
        #expect(try intel.verify().tcbStatus == .upToDate)
    }

    @Test func `a module without a major version counts in the platform's level, and only there`() throws {
        var intel = FakeIntel()
        intel[.teeTCB] = [5, 0, 3] + [UInt8](repeating: 0, count: 13)
        #expect(try intel.verify().moduleStatus == nil)
        intel[.teeTCB] = [4, 0, 3] + [UInt8](repeating: 0, count: 13)
        intel.tcbInfo.levels[1].tdx = [4, 0, 2]
        #expect(try intel.verify().tcbStatus == .outOfDate)
    }
}

extension TDXCollateral {
    /// Replaces text that must be there.
    fileprivate mutating func replace(in part: Part, _ old: String, _ new: String) {
        var bytes = self[part]!
        bytes.replaceSubrange(bytes.firstRange(of: Array(old.utf8))!, with: Array(new.utf8))
        self[part] = bytes
    }
}
