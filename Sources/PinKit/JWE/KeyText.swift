// SPDX-License-Identifier: Apache-2.0

/// A content key as clevis keeps it in a TPM or a file: the text of a JWK and a newline. It never becomes a String.
package enum KeyText {
    private static let head = Array(#"{"alg":"A256GCM","k":""#.utf8)
    private static let tail = Array("\",\"key_ops\":[\"encrypt\",\"decrypt\"],\"kty\":\"oct\"}\n".utf8)
    private static let quote = UInt8(ascii: "\"")
    /// base64url characters of 32 bytes.
    private static let length = 43

    package static func write(_ key: borrowing SecretBytes) -> SecretBytes {
        SecretBytes(copyingPublic: head).appending(key.base64URL).appending(SecretBytes(copyingPublic: tail))
    }

    /// The 32 bytes of member `k`. Others write the members in another order, with spaces, or without the newline.
    package static func read(_ text: borrowing SecretBytes) throws(PinError) -> SecretBytes {
        let key = unsafe text.withUnsafeBytes { text -> SecretBytes? in
            guard let start = unsafe value(in: text), start + length < text.count else { return nil }
            guard unsafe text[start + length] == quote else { return nil }
            return unsafe SecretBytes(decodingBase64URL: UnsafeRawBufferPointer(rebasing: text[start..<start + length]))
        }
        guard let key else {
            throw PinError(.malformed, step: "read the key", detail: "it is no JWK with 32 bytes in k")
        }
        return key
    }

    /// Where the text of `k` starts: after `"k"`, a colon and a quote.
    private static func value(in text: UnsafeRawBufferPointer) -> Int? {
        let name = Array(#""k""#.utf8)
        let starts = 0..<max(0, text.count - name.count)
        let found = starts.first { start in name.indices.allSatisfy { unsafe text[start + $0] == name[$0] } }
        guard var position = found.map({ $0 + name.count }) else { return nil }
        for wanted in [UInt8(ascii: ":"), quote] {
            while unsafe position < text.count && text[position] == UInt8(ascii: " ") { position += 1 }
            guard unsafe position < text.count && text[position] == wanted else { return nil }
            position += 1
        }
        return position
    }
}
