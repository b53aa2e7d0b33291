// SPDX-License-Identifier: Apache-2.0
internal import PinKit
public import TEE

/// Whom to believe about what a TDX platform is: Intel's root, compiled in, and no other unless one is added for tests.
public struct TDXTrustAnchors: Sendable {
    package let roots: [Root]

    package struct Root: Sendable, Equatable {
        package let authority: Authority
        let isSimulated: Bool
    }

    public static let intel = TDXTrustAnchors(roots: [Root(authority: IntelFigures.root, isSimulated: false)])

    /// Whether evidence that nobody but a simulator made would be accepted: say so loudly.
    public var includeSimulated: Bool { roots.contains(where: \.isSimulated) }

    /// A line for each, for people.
    public var descriptions: [String] {
        roots.map { "\($0.authority.description)\($0.isSimulated ? " (SIMULATED)" : "")" }
    }

    /// These and a simulated platform's root: a certificate in PEM or DER with a key on P-256, self-signed. Evidence below
    /// it is marked as simulated, and judged by collateral below it only.
    public func addingSimulated(root certificate: [UInt8]) throws(EvidenceError) -> TDXTrustAnchors {
        let certificate = try Certificate(pemOrDER: certificate)
        let root = try Authority(certificate, .ecdsaP256WithSHA256)
        guard certificate.isAuthority, try certificate.isSigned(by: root) else {
            throw EvidenceError(
                .refused, step: "simulated TDX root", detail: "\(certificate.subject) is no CA, or not signed by itself")
        }
        return TDXTrustAnchors(roots: roots + [Root(authority: root, isSimulated: true)])
    }

    /// The root whose certificate that is.
    func root(der: [UInt8]) -> Root? {
        let fingerprint = Digest.sha256(der)
        return roots.first { $0.authority.fingerprint == fingerprint }
    }
}
