// SPDX-License-Identifier: Apache-2.0

/// On which line each member of a JSON object stands, so that what is wrong with its value can be found.
package struct JSONLines: Sendable {
    private var lines: [String: Int] = [:]

    /// `text`: one JSON object that a parser has accepted. Of anything else no line is known.
    package init(_ text: [UInt8]) {
        var scanner = Scanner(text: text[...])
        var outer = ""
        while let name = scanner.nextName() {
            if name.depth == 1 { outer = name.text }
            let path = name.depth == 1 ? name.text : "\(outer).\(name.text)"
            lines[path] = lines[path] ?? name.line
        }
    }

    /// The line of the member `name` of the outermost object, or `OUTER.name` of an object in it; the first is 1.
    package subscript(name: String) -> Int? { lines[name] }

    private struct Scanner {
        var text: ArraySlice<UInt8>
        var line = 1
        var depth = 0

        /// The next string that is a name in the outermost object, or in one that is a member of it.
        mutating func nextName() -> (text: String, line: Int, depth: Int)? {
            while let byte = text.popFirst() {
                switch byte {
                case UInt8(ascii: "\n"): line += 1
                case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
                case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
                case UInt8(ascii: "\""):
                    let string = rest()
                    if (1...2).contains(depth), isName { return (string, line, depth) }
                default: break
                }
            }
            return nil
        }

        /// What is left of a string whose first quote was taken.
        private mutating func rest() -> String {
            var bytes: [UInt8] = []
            while let byte = text.popFirst(), byte != UInt8(ascii: "\"") {
                bytes.append(byte)
                if byte == UInt8(ascii: "\\"), let escaped = text.popFirst() { bytes.append(escaped) }
            }
            return String(decoding: bytes, as: UTF8.self)
        }

        /// Whether a colon is next.
        private var isName: Bool {
            text.first { ![0x20, 0x09, 0x0a, 0x0d].contains($0) } == UInt8(ascii: ":")
        }
    }
}
