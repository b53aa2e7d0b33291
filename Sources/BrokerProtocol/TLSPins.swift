// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// How a broker's TLS keys are pinned: SHA-256 of a SubjectPublicKeyInfo, or of two, one after the other (docs/spec/envelope.md §1).
public enum TLSPins {
    /// Bytes of one.
    public static let length = 32
    /// A key, and the one that will take its place.
    public static let maximum = 2
}

extension JSONReader {
    /// Base64url of one pin or two; nil where `name` is not there.
    public mutating func optionalTLSPins(_ name: String) throws(JSONError) -> [UInt8]? {
        guard let bytes = try optionalBase64URL(name) else { return nil }
        guard (1...TLSPins.maximum).contains(where: { bytes.count == $0 * TLSPins.length }) else {
            throw error(at: name, "must be \(TLSPins.length) bytes, or twice that, not \(bytes.count)")
        }
        return bytes
    }
}
