// SPDX-License-Identifier: Apache-2.0
internal import PinKit
package import TEE

/// What Intel's service answers for TCB information and enclave identities: `{"tcbInfo":{…},"signature":"…"}`. The
/// signature is over the bytes of the member as they stand in the answer, so that those are cut out, and only what is read
/// from the cut is believed.
package struct SignedJSON {
    /// The member's value, byte for byte.
    let body: [UInt8]
    /// r ‖ s, 32 bytes each, big-endian.
    let signature: [UInt8]

    /// Real ones have 10 KiB.
    static let maximumSize = 1 << 20

    /// Throws `.malformed` for a text that is not an object with just the members `name` and `signature`.
    package init(_ text: [UInt8], member name: String, step: String) throws(EvidenceError) {
        let malformed = { (detail: String) in EvidenceError(.malformed, step: step, detail: detail) }
        guard text.count <= Self.maximumSize else { throw malformed("\(text.count) bytes are too many") }
        var scanner = MemberScanner(text)
        guard let members = scanner.members(), members.count == 2,
            let body = members.first(where: { $0.name.elementsEqual(name.utf8) }),
            let signature = members.first(where: { $0.name.elementsEqual("signature".utf8) })
        else { throw malformed("not an object with \(name) and signature") }
        let digits = signature.value.dropFirst().dropLast()
        guard let bytes = Hex.decode(String(decoding: digits, as: UTF8.self)), bytes.count == 64 else {
            throw malformed("its signature is not 64 bytes in hexadecimal")
        }
        self.body = Array(body.value)
        self.signature = bytes
    }

    /// What `read` makes of the body, which comes through the strict parser. Throws `.malformed`.
    func read<Value>(_ step: String, _ read: (JSON) throws(JSONError) -> Value) throws(EvidenceError) -> Value {
        do throws(JSONError) {
            return try read(JSON(parsing: body, limit: Self.maximumSize))
        } catch {
            throw EvidenceError(.malformed, step: step, detail: "\(error)")
        }
    }
}

/// Finds where the members of an object begin and end. It does not say whether their values are JSON: whoever reads a value
/// parses it.
private struct MemberScanner {
    private let text: [UInt8]
    private var position = 0

    init(_ text: [UInt8]) { self.text = text }

    struct Member {
        /// As written, between the quotes: a name with an escape in it is not the name we look for.
        let name: ArraySlice<UInt8>
        let value: ArraySlice<UInt8>
    }

    /// The members of the object that is all of the text; nil where it is not one.
    mutating func members() -> [Member]? {
        var members: [Member] = []
        guard take("{") else { return nil }
        repeat {
            guard let name = string(), take(":"), let value = value() else { return nil }
            members.append(Member(name: name.dropFirst().dropLast(), value: value))
        } while take(",")
        guard take("}") else { return nil }
        skipSpace()
        return position == text.count ? members : nil
    }

    private var here: UInt8? { position < text.count ? text[position] : nil }

    private mutating func skipSpace() {
        while let byte = here, [0x20, 0x09, 0x0a, 0x0d].contains(byte) { position += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard here == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    /// A string with its quotes.
    private mutating func string() -> ArraySlice<UInt8>? {
        skipSpace()
        let start = position
        guard take("\"") else { return nil }
        while let byte = here {
            position += byte == UInt8(ascii: "\\") ? 2 : 1
            if byte == UInt8(ascii: "\"") { return text[start..<position] }
        }
        return nil
    }

    /// A string, or an object up to the brace that closes it.
    private mutating func value() -> ArraySlice<UInt8>? {
        skipSpace()
        let start = position
        guard here == UInt8(ascii: "{") else { return string() }
        var depth = 0
        while let byte = here {
            switch byte {
            case UInt8(ascii: "\""): guard string() != nil else { return nil }
            case UInt8(ascii: "{"): (depth, position) = (depth + 1, position + 1)
            case UInt8(ascii: "}"): (depth, position) = (depth - 1, position + 1)
            default: position += 1
            }
            if depth == 0 { return text[start..<position] }
        }
        return nil
    }
}
