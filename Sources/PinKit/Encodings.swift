// SPDX-License-Identifier: Apache-2.0

/// base64url without padding (RFC 4648 §5), strict: one text for one sequence of bytes. For public data; a secret's text
/// is ``SecretBytes/base64URL``.
public enum Base64URL {
    static let alphabet = Base64Alphabet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")

    public static func encode(_ bytes: some Sequence<UInt8>) -> String { alphabet.encode(Array(bytes)) }

    /// nil for a character outside the alphabet, padding, an impossible length, or unused bits that are not zero.
    public static func decode(_ text: some StringProtocol) -> [UInt8]? { alphabet.decode(Array(text.utf8)) }
}

/// Standard base64 with padding (RFC 4648 §4), as the KBS protocol writes nonces and evidence; strict like ``Base64URL``.
public enum Base64 {
    static let alphabet = Base64Alphabet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")

    public static func encode(_ bytes: some Collection<UInt8>) -> String {
        alphabet.encode(Array(bytes)) + String(repeating: "=", count: (3 - bytes.count % 3) % 3)
    }

    public static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var characters = Array(text.utf8)
        guard characters.count % 4 == 0 else { return nil }
        while characters.last == UInt8(ascii: "="), characters.count % 4 != 2 { characters.removeLast() }
        return alphabet.decode(characters)
    }
}

/// 64 characters and both ways between them and bytes. Evidence has thousands of characters on the way to unlocking, so
/// these loops are over memory, not over generic sequences.
struct Base64Alphabet: Sendable {
    private let characters: [UInt8]
    /// The value of each character, or 255.
    private let values: [UInt8]

    init(_ text: StaticString) {
        characters = text.withUTF8Buffer { unsafe Array($0) }
        var values = [UInt8](repeating: 255, count: 256)
        for (value, character) in characters.enumerated() { values[Int(character)] = UInt8(value) }
        self.values = values
    }

    /// Characters that `count` bytes take, without padding.
    static func length(of count: Int) -> Int { (count * 4 + 2) / 3 }

    func encode(_ bytes: [UInt8]) -> String {
        let length = Base64Alphabet.length(of: bytes.count)
        return unsafe String(unsafeUninitializedCapacity: length) { text in
            unsafe bytes.withUnsafeBytes { unsafe encode($0, into: UnsafeMutableRawBufferPointer(text)) }
            return length
        }
    }

    /// `text` has exactly `length(of: bytes.count)` bytes.
    func encode(_ bytes: UnsafeRawBufferPointer, into text: UnsafeMutableRawBufferPointer) {
        var bits: UInt32 = 0
        var pending: UInt32 = 0
        var position = 0
        for index in 0..<bytes.count {
            bits = unsafe (bits << 8 | UInt32(bytes[index])) & 0xffff
            pending += 8
            while pending >= 6 {
                pending -= 6
                unsafe text[position] = characters[Int(bits >> pending & 0x3f)]
                position += 1
            }
        }
        if pending > 0 { unsafe text[position] = characters[Int(bits << (6 - pending) & 0x3f)] }
    }

    func decode(_ text: [UInt8]) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: text.count * 3 / 4)
        let isValid = unsafe text.withUnsafeBytes { text in
            unsafe bytes.withUnsafeMutableBytes { unsafe decode(text, into: $0) }
        }
        return isValid ? bytes : nil
    }

    /// `bytes` has room for three quarters of `text`, rounded down. False where `text` is not what ``encode`` writes.
    func decode(_ text: UnsafeRawBufferPointer, into bytes: UnsafeMutableRawBufferPointer) -> Bool {
        guard text.count % 4 != 1 else { return false }
        var bits: UInt32 = 0
        var pending: UInt32 = 0
        var position = 0
        for index in 0..<text.count {
            let value = unsafe UInt32(values[Int(text[index])])
            guard value < 64 else { return false }
            bits = (bits << 6 | value) & 0xffff
            pending += 6
            if pending >= 8 {
                pending -= 8
                unsafe bytes[position] = UInt8(truncatingIfNeeded: bits >> pending)
                position += 1
            }
        }
        return bits & ((1 << pending) - 1) == 0
    }
}

/// Lower-case hexadecimal.
public enum Hex {
    public static func encode(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 0xf)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Either case; nil for an odd length or another character.
    public static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        var high: UInt8?
        for character in text.utf8 {
            guard let digit = digit(character) else { return nil }
            if let upper = high {
                bytes.append(upper << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        return high == nil ? bytes : nil
    }

    private static func digit(_ character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

extension SecretBytes {
    /// The bytes as base64url text, itself a secret.
    public var base64URL: SecretBytes {
        unsafe SecretBytes(count: Base64Alphabet.length(of: count)) { text in
            unsafe withUnsafeBytes { unsafe Base64URL.alphabet.encode($0, into: text) }
        }
    }

    /// The bytes that base64url text stands for; nil where it is not canonical. The text is the caller's to wipe.
    public init?(decodingBase64URL text: UnsafeRawBufferPointer) {
        var isValid = false
        unsafe self.init(count: text.count * 3 / 4) { bytes in
            isValid = unsafe Base64URL.alphabet.decode(text, into: bytes)
        }
        guard isValid else { return nil }
    }
}
