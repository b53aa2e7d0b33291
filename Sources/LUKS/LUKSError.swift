// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// What went wrong with a volume: where, at which step, and what the library, the kernel or a pin said.
///
/// Prints as `disk.img: token 0: refused: signature: is not this owner's`. Like ``PinKit/PinError``, callers branch on
/// ``code`` only, and so does `==`. Neither `step` nor `detail` ever holds secret bytes.
public struct LUKSError: Error, Sendable {
    public let code: Code
    /// The volume, and the token where one is meant: `disk.img`, `disk.img: token 0`.
    public private(set) var place: String
    public let step: String
    public let detail: String

    public init(_ code: Code, place: String = "", step: String = "", detail: String = "") {
        self.code = code
        self.place = place
        self.step = step
        self.detail = detail
    }

    /// The same error seen from one level further out: `at("disk.img")` turns `token 0` into `disk.img: token 0`.
    func at(_ outer: String) -> LUKSError {
        var error = self
        error.place = place.isEmpty ? outer : "\(outer): \(place)"
        return error
    }

    /// What a pin, or the walk over a policy, reported.
    init(_ error: PinError) {
        let code: Code =
            switch error.code {
            case .malformed: .malformed
            case .unavailable: .unavailable
            case .refused: .refused
            default: .failed
            }
        self.init(code, place: error.path, step: error.step, detail: error.detail)
    }

    /// The kinds of failure that a caller treats differently. A struct, so that it can grow.
    public struct Code: RawRepresentable, Hashable, Sendable {
        public let rawValue: String
        public init(rawValue: String) { self.rawValue = rawValue }

        /// The file or device is missing, or may not be read or written.
        public static let unreadable = Code(rawValue: "unreadable")
        /// Something else lies there: another format, or LUKS1.
        public static let notLUKS2 = Code(rawValue: "not LUKS2")
        /// A header, a token or a configuration that can never work.
        public static let malformed = Code(rawValue: "malformed")
        /// It was read and the answer is no: the allow-list, a signature, the boot configuration, a pin.
        public static let refused = Code(rawValue: "refused")
        /// A pin cannot answer here or now; a boot may try again.
        public static let unavailable = Code(rawValue: "unavailable")
        /// The passphrase opens no keyslot.
        public static let wrongPassphrase = Code(rawValue: "wrong passphrase")
        /// The header has no room for the token, or no free keyslot.
        public static let noRoom = Code(rawValue: "no room")
        /// Another program is changing the volume.
        public static let busy = Code(rawValue: "busy")
        /// No such binding, or none at all.
        public static let notBound = Code(rawValue: "not bound")
        /// The only keyslot of the volume is not removed without force.
        public static let lastKeyslot = Code(rawValue: "last keyslot")
        /// A library or the kernel failed in a way that says nothing about the volume.
        public static let failed = Code(rawValue: "failed")
    }
}

extension LUKSError: Equatable {
    public static func == (left: LUKSError, right: LUKSError) -> Bool { left.code == right.code }
}

extension LUKSError: CustomStringConvertible {
    public var description: String {
        [place, code.rawValue, step, detail].filter { !$0.isEmpty }.joined(separator: ": ")
    }
}
