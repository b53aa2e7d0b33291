// SPDX-License-Identifier: Apache-2.0

/// Writes JSON on one line, as jansson does. Only numbers with a fraction are left to jansson.
struct JSONWriter {
    private let sortsMembers: Bool
    private var text: [UInt8] = []

    private init(sortsMembers: Bool) { self.sortsMembers = sortsMembers }

    /// nil where there is such a number. `sortsMembers`: by the bytes of their names, at every level.
    static func text(of json: JSON, sortsMembers: Bool) -> String? {
        var writer = JSONWriter(sortsMembers: sortsMembers)
        return writer.write(json) ? String(decoding: writer.text, as: UTF8.self) : nil
    }

    private mutating func write(_ json: JSON) -> Bool {
        switch json {
        case .null: text += Array("null".utf8)
        case .bool(let value): text += Array((value ? "true" : "false").utf8)
        case .integer(let value): text += Array(String(value).utf8)
        case .real: return false
        case .string(let value): write(value)
        case .array(let elements): return list("[", elements, "]") { writer, element in writer.write(element) }
        case .object(let object):
            return list("{", inOrder(object.members), "}") { writer, member in
                writer.write(member.name)
                writer.text.append(UInt8(ascii: ":"))
                return writer.write(member.value)
            }
        }
        return true
    }

    private mutating func list<Element>(
        _ opening: Unicode.Scalar, _ elements: [Element], _ closing: Unicode.Scalar,
        _ write: (inout JSONWriter, Element) -> Bool
    ) -> Bool {
        text.append(UInt8(ascii: opening))
        for (index, element) in elements.enumerated() {
            if index > 0 { text.append(UInt8(ascii: ",")) }
            guard write(&self, element) else { return false }
        }
        text.append(UInt8(ascii: closing))
        return true
    }

    private func inOrder(_ members: [JSONObject.Member]) -> [JSONObject.Member] {
        guard sortsMembers else { return members }
        return members.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }

    private mutating func write(_ value: String) {
        text.append(UInt8(ascii: "\""))
        let isPlain = value.utf8.allSatisfy { $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
        if isPlain { text.append(contentsOf: value.utf8) } else { for byte in value.utf8 { write(byte) } }
        text.append(UInt8(ascii: "\""))
    }

    private mutating func write(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): text += [UInt8(ascii: "\\"), byte]
        case 0x08: text += Array("\\b".utf8)
        case 0x0c: text += Array("\\f".utf8)
        case 0x0a: text += Array("\\n".utf8)
        case 0x0d: text += Array("\\r".utf8)
        case 0x09: text += Array("\\t".utf8)
        case 0..<0x20:
            let digits = Array("0123456789ABCDEF".utf8)
            text += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 0xf)]]
        default: text.append(byte)
        }
    }
}
