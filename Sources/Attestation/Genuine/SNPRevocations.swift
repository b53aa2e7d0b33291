// SPDX-License-Identifier: Apache-2.0
public import TEE

/// AMD's word on which of its ASKs and ASVKs are to be believed no longer: a list from each ARK, which AMD publishes at
/// `https://kdsintf.amd.com/vcek/v1/{Milan,Genoa,Turin}/crl`. VCEKs and VLEKs are on none: AMD replaces those by raising the
/// TCB.
public struct SNPRevocations: Sendable {
    private struct Entry {
        /// The ARK's fingerprint: AMD's and a simulator's bear the same names.
        let root: [UInt8]
        let list: CertificateRevocationList
        /// A newer one takes its place.
        var isFetched = false
    }

    private let entries: [Entry]

    public static let none = SNPRevocations(entries: [])

    private init(entries: [Entry]) { self.entries = entries }

    /// `lists` in DER. Throws `.malformed` for what is none, and `.refused` for one that no ARK of `anchors` signed. Of
    /// several by one ARK all count.
    public init(_ lists: [[UInt8]], anchors: TrustAnchors) throws(EvidenceError) {
        var entries: [Entry] = []
        for der in lists {
            let list = try CertificateRevocationList(der: der)
            let root = try Self.root(of: list, anchors)
            entries.append(Entry(root: root.fingerprint, list: list))
        }
        self.init(entries: entries)
    }

    /// These, and in place of what was fetched before `der`, the list of the ARK of `product` on the day `seconds`. Throws
    /// `.malformed`, `.refused` where it is another's, `.unavailable` where it is of another day or older than that before.
    func fetching(
        _ der: [UInt8], of product: SNPProduct, anchors: TrustAnchors, at seconds: Int64
    ) throws(EvidenceError) -> SNPRevocations {
        let list = try CertificateRevocationList(der: der)
        let root = try Self.root(of: list, anchors).fingerprint
        guard anchors.chains.contains(where: { $0.root.fingerprint == root && $0.product == product }) else {
            throw EvidenceError(.refused, step: "revocation list", detail: "it is not that of \(product.rawValue)")
        }
        let isOlder = entries.contains {
            $0.isFetched && $0.root == root && $0.list.validity.lowerBound > list.validity.lowerBound
        }
        guard list.validity.contains(seconds), !isOlder else {
            throw EvidenceError(
                .unavailable, step: "revocation list", detail: "that of \(product.rawValue) is not the newest")
        }
        let others = entries.filter { !$0.isFetched || $0.root != root }
        return SNPRevocations(entries: others + [Entry(root: root, list: list, isFetched: true)])
    }

    /// The ARK that signed `list`.
    static func root(
        of list: CertificateRevocationList, _ anchors: TrustAnchors
    ) throws(EvidenceError) -> Authority {
        for chain in anchors.chains where try list.isSigned(by: chain.root) { return chain.root }
        throw EvidenceError(
            .refused, step: "revocation list", detail: "not signed by the \(list.issuer) that is trusted here")
    }

    /// Whether a list of the day `seconds` says that the issuer of `chain` is good; false where there is none of its ARK.
    ///
    /// Throws `.refused` for an issuer that any list names, whatever its date, and `.unavailable` where none is of that day:
    /// who keeps the newest list back could hide a revocation.
    func check(_ chain: Chain, at seconds: Int64) throws(EvidenceError) -> Bool {
        let lists = entries.filter { $0.root == chain.root.fingerprint }.map(\.list)
        guard !lists.contains(where: { $0.revokes(serial: chain.issuer.serial) }) else {
            throw EvidenceError(
                .refused, step: "revocation list", detail: "\(chain.root.name) has revoked \(chain.issuer.name)")
        }
        guard let newest = lists.max(by: { $0.validity.upperBound < $1.validity.upperBound }) else { return false }
        guard lists.contains(where: { $0.validity.contains(seconds) }) else {
            throw EvidenceError(
                .unavailable, step: "revocation list",
                detail: "that of \(chain.root.name) is good from \(Timestamp.text(newest.validity.lowerBound)) to "
                    + "\(Timestamp.text(newest.validity.upperBound)), now \(Timestamp.text(seconds))")
        }
        return true
    }
}
