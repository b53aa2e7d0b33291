// SPDX-License-Identifier: Apache-2.0

/// Why evidence was not accepted: what kind of failure, at which step, and what was found there.
///
/// Prints as `refused: report signature: not by the VCEK of the certificate table`. As with `PinError`, callers branch on
/// ``code`` only, and so does `==`.
public struct EvidenceError: Error, Sendable {
    public let code: Code
    public let step: String
    public let detail: String

    public init(_ code: Code, step: String = "", detail: String = "") {
        self.code = code
        self.step = step
        self.detail = detail
    }

    /// A struct, so that it can grow.
    public struct Code: RawRepresentable, Hashable, Sendable {
        public let rawValue: String
        public init(rawValue: String) { self.rawValue = rawValue }

        /// Not the format it claims to be: wrong length, unknown version, broken DER.
        public static let malformed = Code(rawValue: "malformed")
        /// Well-formed and not genuine: a signature, a chain, a date or a binding that does not hold.
        public static let refused = Code(rawValue: "refused")
        /// Something that is needed to judge is missing: the certificate of the signing key.
        public static let unavailable = Code(rawValue: "unavailable")
        /// The crypto library failed in a way that says nothing about the evidence.
        public static let failed = Code(rawValue: "failed")
    }
}

extension EvidenceError: Equatable {
    public static func == (left: EvidenceError, right: EvidenceError) -> Bool { left.code == right.code }
}

extension EvidenceError: CustomStringConvertible {
    public var description: String {
        [code.rawValue, step, detail].filter { !$0.isEmpty }.joined(separator: ": ")
    }
}
