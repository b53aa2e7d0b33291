// SPDX-License-Identifier: Apache-2.0

/// What went wrong in a pin: which pin, at which step, and what the library, the kernel or the peer said.
///
/// Prints as `sss[1].tpm2: refused: TPM2_Unseal: policy check failed`. Callers branch on ``code`` only, and so does `==`,
/// so that a test reads `#expect(throws: PinError(.refused))`. Neither `step` nor `detail` ever holds secret bytes.
public struct PinError: Error, Sendable {
    public let code: Code
    /// The pin and where it stands in the policy, `sss[1].tpm2`; empty until somebody who knows adds it with ``within(_:)``.
    public private(set) var path: String
    public let step: String
    public let detail: String

    public init(_ code: Code, path: String = "", step: String = "", detail: String = "") {
        self.code = code
        self.path = path
        self.step = step
        self.detail = detail
    }

    /// The same error seen from one level further out: `within("[1]").within("sss")` turns `tpm2` into `sss[1].tpm2`.
    public func within(_ outer: String) -> PinError {
        var error = self
        error.path = path.isEmpty ? outer : path.hasPrefix("[") ? outer + path : "\(outer).\(path)"
        return error
    }

    /// The four kinds of failure that a caller treats differently. A struct, so that it can grow.
    public struct Code: RawRepresentable, Hashable, Sendable {
        public let rawValue: String
        public init(rawValue: String) { self.rawValue = rawValue }

        /// The input can never work: broken JSON, an unknown pin, a configuration that contradicts itself. Never retried.
        public static let malformed = Code(rawValue: "malformed")
        /// Not here, or not now: no device, no network, a deadline. A threshold tries its next share; a boot may try again.
        public static let unavailable = Code(rawValue: "unavailable")
        /// It worked and the answer is no.
        public static let refused = Code(rawValue: "refused")
        /// A library or the kernel failed in a way that says nothing about the policy.
        public static let failed = Code(rawValue: "failed")
    }
}

extension PinError: Equatable {
    public static func == (left: PinError, right: PinError) -> Bool { left.code == right.code }
}

extension PinError: CustomStringConvertible {
    public var description: String {
        [path, code.rawValue, step, detail].filter { !$0.isEmpty }.joined(separator: ": ")
    }
}
