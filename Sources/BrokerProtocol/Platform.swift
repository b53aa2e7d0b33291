// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// The kind of TEE whose evidence opens an envelope. The raw value is `tee` in the messages (docs/spec/envelope.md).
public enum Platform: String, Sendable, Equatable, CaseIterable {
    /// AMD SEV-SNP.
    case snp
    /// Intel TDX.
    case tdx

    /// The pin that seals for this platform: `clevis.pin` in an envelope's header.
    public var pin: String { self == .snp ? "snp-attest" : "tdx-attest" }

    /// For people.
    public var title: String { self == .snp ? "AMD SEV-SNP" : "Intel TDX" }

    init(pin name: String, in reader: JSONReader) throws(JSONError) {
        guard let platform = Platform.allCases.first(where: { $0.pin == name }) else {
            throw reader.error(at: "pin", "must be snp-attest or tdx-attest")
        }
        self = platform
    }

    init(tee name: String, at place: String) throws(JSONError) {
        guard let platform = Platform(rawValue: name) else {
            throw JSONError(place: place, problem: "must be snp or tdx")
        }
        self = platform
    }
}
