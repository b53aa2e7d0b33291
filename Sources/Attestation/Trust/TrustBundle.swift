// SPDX-License-Identifier: Apache-2.0
public import PinKit
public import TEE

/// What vendors publish and a verifier without a network needs beside its anchors: revocation lists of AMD's ARKs, certificates
/// of VCEKs and VLEKs, and sets of Intel's collateral (docs/spec/trust-bundle.md).
///
/// Every part is verified as it is taken up: signed by an anchor, of a kind known here. Dates are not looked at, since parts
/// are kept from one day to another: the verifier that uses them does. A value; the order of its parts is that of their names.
public struct TrustBundle: Sendable {
    /// Bytes of a bundle in JSON, and how many parts it has at most. A fleet of a thousand chips has some 2 MiB.
    public static let maximumSize = 16 << 20
    public static let maximumCount = 4096

    public private(set) var parts: [Part] = []
    private let anchors: TrustAnchors
    private let tdxAnchors: TDXTrustAnchors

    public init(anchors: TrustAnchors = .amd, tdxAnchors: TDXTrustAnchors = .intel) {
        self.anchors = anchors
        self.tdxAnchors = tdxAnchors
    }

    /// A revocation list, a certificate, or a set of collateral.
    public struct Part: Sendable {
        /// From its content, so that the same part has the same name everywhere.
        public let name: String
        /// For people: `revocation list of ARK-Genoa`.
        public let title: String
        /// In seconds since 1970, both ends included, of everything in it that has dates.
        let validities: [ClosedRange<Int64>]
        /// As they stand in a folder: path below it, contents.
        public let files: [(path: String, bytes: [UInt8])]
        /// Signed below an anchor that a simulator made.
        public let isSimulated: Bool
        let content: Content

        enum Content: Sendable {
            case revocationList([UInt8])
            case endorsement(Endorsement)
            case collateral(TDXCollateral)
        }

        public func isValid(at seconds: Int64) -> Bool { validities.allSatisfy { $0.contains(seconds) } }

        /// The last second at which all of it may be good.
        public var validUntil: Int64 { validities.map(\.upperBound).min() ?? .max }
    }

    /// Takes up one file of AMD's: a revocation list in DER, or a VCEK's or VLEK's certificate in DER or PEM. One that is
    /// there already is not taken twice.
    ///
    /// Throws `.malformed` for anything else, `.refused` for what no anchor signed, and where there are too many.
    public mutating func add(_ file: [UInt8]) throws(EvidenceError) { try add(Part(file, anchors)) }

    /// Takes up a complete set of Intel's. Throws as ``TDXVerifier/init(anchors:collateral:)``.
    public mutating func add(_ collateral: TDXCollateral) throws(EvidenceError) { try add(Part(collateral, tdxAnchors)) }

    private mutating func add(_ part: Part) throws(EvidenceError) {
        guard !parts.contains(where: { $0.name == part.name }) else { return }
        guard parts.count < Self.maximumCount else { throw Self.malformed("more than \(Self.maximumCount) parts") }
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
        for part in parts { if case .revocationList(let der) = part.content { lists.append(der) } }
        return try SNPRevocations(lists, anchors: anchors)
    }

    /// The table for a report that came without one: with the certificate whose key signed it, or nil where that is not here.
    public func certificates(for report: SNPReport) -> SNPCertificateTable? {
        for part in parts {
            guard case .endorsement(let endorsement) = part.content, endorsement.chain.signingKey == report.signingKey,
                (try? endorsement.check(report)) != nil
            else { continue }
            let kind: SNPCertificateTable.Kind = endorsement.chain.signingKey == .vcek ? .vcek : .vlek
            return SNPCertificateTable(entries: [.init(kind: kind, bytes: endorsement.certificate.der)])
        }
        return nil
    }

    /// The sets for a ``TDXVerifier``.
    public var collateral: [TDXCollateral] {
        parts.compactMap { part in
            guard case .collateral(let collateral) = part.content else { return nil }
            return collateral
        }
    }
}

// MARK: - As one file

extension TrustBundle {
    /// Reads a bundle in JSON, and takes up every part as `add` does.
    public init(
        parsing text: [UInt8], anchors: TrustAnchors = .amd, tdxAnchors: TDXTrustAnchors = .intel
    ) throws(EvidenceError) {
        self.init(anchors: anchors, tdxAnchors: tdxAnchors)
        let document: BundleDocument
        do throws(JSONError) {
            document = try BundleDocument(JSON(parsing: text, limit: Self.maximumSize))
        } catch {
            throw Self.malformed(error.description)
        }
        for (index, file) in document.amd.enumerated() {
            try at("amd[\(index)]") { (bundle) throws(EvidenceError) in try bundle.add(file) }
        }
        for (index, set) in document.intel.enumerated() {
            try at("intel[\(index)]") { (bundle) throws(EvidenceError) in try bundle.add(set) }
        }
    }

    private mutating func at(
        _ place: String, _ body: (inout TrustBundle) throws(EvidenceError) -> Void
    ) throws(EvidenceError) {
        do throws(EvidenceError) {
            try body(&self)
        } catch {
            throw EvidenceError(error.code, step: error.step, detail: "\(place): \(error.detail)")
        }
    }

    public var json: JSON {
        var document = BundleDocument()
        for part in parts {
            switch part.content {
            case .revocationList(let der): document.amd.append(der)
            case .endorsement(let endorsement): document.amd.append(endorsement.certificate.der)
            case .collateral(let collateral): document.intel.append(collateral)
            }
        }
        return document.json
    }
}
