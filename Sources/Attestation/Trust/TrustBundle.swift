// SPDX-License-Identifier: Apache-2.0
public import PinKit
public import TEE

/// What vendors publish and a verifier without a network needs beside its anchors: revocation lists of AMD's ARKs, and the
/// certificates of VCEKs and VLEKs (docs/spec/trust-bundle.md).
///
/// Every part is verified as it is taken up: signed by an anchor, of a kind known here. Dates are not looked at, since parts
/// are kept from one day to another: the verifier that uses them does. A value; the order of its parts is that of their names.
public struct TrustBundle: Sendable {
    /// Bytes of a bundle in JSON, and how many parts it has at most. A fleet of a thousand chips has some 2 MiB.
    public static let maximumSize = 16 << 20
    public static let maximumCount = 4096

    public private(set) var parts: [Part] = []
    private let anchors: TrustAnchors

    public init(anchors: TrustAnchors) { self.anchors = anchors }

    /// One file of a vendor's.
    public struct Part: Sendable {
        /// Where it stands in a folder, and what it is called wherever it is named: from its content, so that the same part
        /// has the same name everywhere.
        public let name: String
        /// For people: `revocation list of ARK-Genoa`.
        public let title: String
        /// Seconds since 1970, both ends included.
        public let validity: ClosedRange<Int64>
        /// DER.
        public let bytes: [UInt8]
        /// Signed below an anchor that a simulator made.
        public let isSimulated: Bool
        let content: Content

        enum Content: Sendable {
            case revocationList
            case endorsement(Endorsement)
        }
    }

    /// Takes up one file: a revocation list in DER, or a VCEK's or VLEK's certificate in DER or PEM. One that is there
    /// already is not taken twice.
    ///
    /// Throws `.malformed` for anything else, `.refused` for what no anchor signed, and where there are too many.
    public mutating func add(_ file: [UInt8]) throws(EvidenceError) {
        let part = try Self.part(file, anchors)
        guard !parts.contains(where: { $0.name == part.name }) else { return }
        guard parts.count < Self.maximumCount else {
            throw Self.malformed("more than \(Self.maximumCount) parts")
        }
        parts.append(part)
        parts.sort { $0.name < $1.name }
    }

    static func malformed(_ detail: String) -> EvidenceError {
        EvidenceError(.malformed, step: "trust bundle", detail: detail)
    }
}

// MARK: - For a verifier

extension TrustBundle {
    /// What a ``SNPVerifier`` is to know of revoked keys.
    public func revocations() throws(EvidenceError) -> SNPRevocations {
        var lists: [[UInt8]] = []
        for part in parts { if case .revocationList = part.content { lists.append(part.bytes) } }
        return try SNPRevocations(lists, anchors: anchors)
    }

    /// The table for a report that came without one: with the certificate whose key signed it, or nil where that is not here.
    public func certificates(for report: SNPReport) -> SNPCertificateTable? {
        for part in parts {
            guard case .endorsement(let endorsement) = part.content, endorsement.chain.signingKey == report.signingKey,
                (try? endorsement.check(report)) != nil
            else { continue }
            let kind: SNPCertificateTable.Kind = endorsement.chain.signingKey == .vcek ? .vcek : .vlek
            return SNPCertificateTable(entries: [.init(kind: kind, bytes: part.bytes)])
        }
        return nil
    }
}

// MARK: - What a file is

extension TrustBundle {
    private static func part(_ file: [UInt8], _ anchors: TrustAnchors) throws(EvidenceError) -> Part {
        if let list = try? CertificateRevocationList(der: file) { return try part(file, list, anchors) }
        let certificate: Certificate
        do throws(EvidenceError) {
            certificate = try Certificate(pemOrDER: file)
        } catch {
            throw malformed("neither a revocation list nor a certificate (\(error.detail))")
        }
        let signingKey: SNPSigningKey
        switch certificate.subject {
        case "SEV-VCEK": signingKey = .vcek
        case "SEV-VLEK": signingKey = .vlek
        default: throw malformed("a certificate of \(certificate.subject), which no bundle has")
        }
        return part(try Endorsement(certificate.der, of: signingKey, anchors: anchors))
    }

    private static func part(
        _ der: [UInt8], _ list: CertificateRevocationList, _ anchors: TrustAnchors
    ) throws(EvidenceError) -> Part {
        let root = try SNPRevocations.root(of: list, anchors)
        let isSimulated = anchors.chains.contains { $0.root.fingerprint == root.fingerprint && $0.isSimulated }
        return Part(
            name: "amd/\(root.name)-\(digest(of: der)).crl", title: "revocation list of \(root.name)",
            validity: list.validity, bytes: der, isSimulated: isSimulated, content: .revocationList)
    }

    private static func part(_ endorsement: Endorsement) -> Part {
        let (chain, identity) = (endorsement.chain, endorsement.identity)
        let owner =
            identity.hardwareID.map { "chip \(Hex.encode(Array($0.prefix(8))))" } ?? identity.provider ?? "a provider"
        return Part(
            name: "amd/\(chain.signingKey.name)-\(digest(of: endorsement.certificate.der)).der",
            title: "\(chain.product.certificateName) \(chain.signingKey.name) of \(owner) at "
                + identity.tcb.description(in: chain.product.tcbLayout),
            validity: endorsement.certificate.validity, bytes: endorsement.certificate.der, isSimulated: chain.isSimulated,
            content: .endorsement(endorsement))
    }

    private static func digest(of bytes: [UInt8]) -> String { Hex.encode(Array(Digest.sha256(bytes).prefix(8))) }
}

// MARK: - As one file

extension TrustBundle {
    /// Reads a bundle in JSON, and takes up every part as ``add(_:)`` does.
    public init(parsing text: [UInt8], anchors: TrustAnchors) throws(EvidenceError) {
        self.init(anchors: anchors)
        let files: [[UInt8]]
        do throws(JSONError) {
            files = try Self.files(in: JSON(parsing: text, limit: Self.maximumSize))
        } catch {
            throw Self.malformed(error.description)
        }
        for (index, file) in files.enumerated() {
            do throws(EvidenceError) {
                try add(file)
            } catch {
                throw EvidenceError(error.code, step: error.step, detail: "amd[\(index)]: \(error.detail)")
            }
        }
    }

    public var json: JSON {
        ["version": 1, "amd": .array(parts.map { .string(Base64URL.encode($0.bytes)) })]
    }

    private static func files(in json: JSON) throws(JSONError) -> [[UInt8]] {
        var reader = try JSONReader(json)
        _ = try reader.integer("version", in: 1...1)
        var files: [[UInt8]] = []
        for (index, text) in try reader.strings("amd").enumerated() {
            guard let file = Base64URL.decode(text) else {
                throw JSONError(place: "amd[\(index)]", problem: "is not base64url without padding")
            }
            files.append(file)
        }
        try reader.finish()
        return files
    }
}
