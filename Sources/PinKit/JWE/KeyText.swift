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
        let key = unsafe text.withUnsafeBytes { text in
            unsafe value(of: #""k""#, count: length, in: text).flatMap { unsafe SecretBytes(decodingBase64URL: $0) }
        }
        guard let key else {
            throw PinError(.malformed, step: "read the key", detail: "it is no JWK with 32 bytes in k")
        }
        return key
    }

    /// The 32 characters of member `key`, which are the key as they stand: clevis-pin-trustee's form.
    package static func readCharacters(_ text: borrowing SecretBytes) throws(PinError) -> SecretBytes {
        let key = unsafe text.withUnsafeBytes { text in
            unsafe value(of: #""key""#, count: 32, in: text).map { unsafe SecretBytes(copying: $0) }
        }
        guard let key else {
            throw PinError(.malformed, step: "read the key", detail: "the resource has no 32 characters in key")
        }
        return key
    }

    /// The text of `count` bytes that stands after `name`, a colon and a quote, and before a quote.
    private static func value(
        of name: String, count: Int, in text: UnsafeRawBufferPointer
    ) -> UnsafeRawBufferPointer? {
        guard let start = unsafe value(after: name, in: text), start + count < text.count,
            unsafe text[start + count] == quote
        else { return nil }
        return unsafe UnsafeRawBufferPointer(rebasing: text[start..<start + count])
    }

    private static func value(after name: String, in text: UnsafeRawBufferPointer) -> Int? {
        let name = Array(name.utf8)
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
