// SPDX-License-Identifier: Apache-2.0
internal import TEE

/// What Intel publishes about platforms of one kind, as received: nothing in it is checked before a ``TDXVerifier`` does.
///
/// One set serves all platforms with the same FMSPC and PCK CA, for 30 days.
public struct TDXCollateral: Sendable, Equatable {
    /// The raw value is the name that a part has as a file.
    public enum Part: String, Sendable, CaseIterable {
        /// The answer to `tdx/certification/v4/tcb?fmspc=…`, byte for byte.
        case tcbInfo = "tcb_info.json"
        /// Header `TCB-Info-Issuer-Chain` of that answer, percent-decoded: PEM, the signer's certificate and the root's.
        case tcbInfoIssuerChain = "tcb_info_issuer_chain.pem"
        /// The answer to `tdx/certification/v4/qe/identity`, byte for byte.
        case qeIdentity = "qe_identity.json"
        /// Header `SGX-Enclave-Identity-Issuer-Chain`, percent-decoded.
        case qeIdentityIssuerChain = "qe_identity_issuer_chain.pem"
        /// The answer to `sgx/certification/v4/pckcrl?ca=…&encoding=der`.
        case pckRevocationList = "pck_crl.der"
        /// Header `SGX-PCK-CRL-Issuer-Chain`, percent-decoded.
        case pckRevocationListIssuerChain = "pck_crl_issuer_chain.pem"
        /// `https://certificates.trustedservices.intel.com/IntelSGXRootCA.der`.
        case rootRevocationList = "root_ca_crl.der"
    }

    private var parts: [Part: [UInt8]] = [:]

    public init() {}

    /// From a folder, of which `read` gives the contents of the file with that name, or nil where there is none.
    public init<Failure>(reading read: (String) throws(Failure) -> [UInt8]?) throws(Failure) {
        for part in Part.allCases { parts[part] = try read(part.rawValue) }
    }

    public subscript(part: Part) -> [UInt8]? {
        get { parts[part] }
        set { parts[part] = newValue }
    }

    func required(_ part: Part) throws(EvidenceError) -> [UInt8] {
        guard let bytes = parts[part] else {
            throw EvidenceError(.unavailable, step: "collateral", detail: "\(part.rawValue) is missing")
        }
        return bytes
    }
}
