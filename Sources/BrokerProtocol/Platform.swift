// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// The kind of TEE whose evidence opens an envelope. The raw value is `tee` in the messages (docs/spec/envelope.md).
public enum Platform: String, Sendable, Equatable {
    /// AMD SEV-SNP.
    case snp

    /// The pin that seals for this platform: `clevis.pin` in an envelope's header.
    public var pin: String {
        switch self {
        case .snp: "snp-attest"
        }
    }

    init(tee name: String, at place: String) throws(JSONError) {
        guard let platform = Platform(rawValue: name) else {
            throw JSONError(place: place, problem: "must be snp")
        }
        self = platform
    }
}
