// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// Reads one object of LUKS2 metadata against an allow-list: each member is named with what it must be, and one that nobody
/// named is an error. Sizes and offsets are decimal strings there, since JSON numbers stop at 2⁵³.
struct HeaderReader {
    private let object: JSONObject
    private let name: String
    private var unread: Set<String>

    init(_ json: JSON, _ name: String) throws(JSONError) {
        guard let object = json.object else { throw JSONError(place: name, problem: "is not an object") }
        self.object = object
        self.name = name
        self.unread = Set(object.names)
    }

    func error(_ problem: String) -> JSONError { JSONError(place: name, problem: problem) }

    mutating func required(_ member: String) throws(JSONError) -> JSON {
        unread.remove(member)
        guard let value = object[member] else { throw error("\(member) is missing") }
        return value
    }

    mutating func string(_ member: String, _ expected: String) throws(JSONError) {
        try string(member, anyOf: [expected])
    }

    @discardableResult
    mutating func string(_ member: String, anyOf expected: [String]) throws(JSONError) -> String {
        let value = try required(member)
        guard let string = value.string, expected.contains(string) else {
            throw error("\(member) is \(shown(value)), not \(expected.joined(separator: " or "))")
        }
        return string
    }

    mutating func integer(_ member: String, _ expected: Int) throws(JSONError) {
        let value = try required(member)
        guard value == .integer(Int64(expected)) else { throw error("\(member) is \(shown(value)), not \(expected)") }
    }

    mutating func integer(_ member: String, in range: ClosedRange<Int64>) throws(JSONError) -> Int64 {
        let value = try required(member)
        guard let integer = value.integer, range.contains(integer) else {
            throw error("\(member) is \(shown(value)), not from \(range.lowerBound) to \(range.upperBound)")
        }
        return integer
    }

    mutating func optionalInteger(_ member: String, in range: ClosedRange<Int64>) throws(JSONError) -> Int64? {
        guard object[member] != nil else { return nil }
        return try integer(member, in: range)
    }

    /// A size or an offset.
    mutating func bytes(_ member: String, in range: ClosedRange<Int>) throws(JSONError) -> Int {
        let value = try required(member)
        guard let text = value.string, let number = Int(text), String(number) == text, range.contains(number) else {
            throw error("\(member) is \(shown(value)), not from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    mutating func base64(_ member: String) throws(JSONError) {
        let value = try required(member)
        guard let text = value.string, Base64.decode(text) != nil else { throw error("\(member) is not base64") }
    }

    /// A list of object numbers, sorted.
    mutating func numbers(_ member: String) throws(JSONError) -> [Int] {
        var numbers: [Int] = []
        for element in try required(member).array ?? [] { numbers.append(try number(element.string ?? "", member)) }
        return numbers.sorted()
    }

    /// Objects by their number.
    mutating func numbered(_ member: String) throws(JSONError) -> [Int: JSON] {
        guard let members = try required(member).object?.members else { throw error("\(member) is not an object") }
        var objects: [Int: JSON] = [:]
        for member in members { objects[try number(member.name, "an object's name")] = member.value }
        return objects
    }

    /// Refuses flags and requirements, and names them.
    mutating func absentOrEmpty(_ member: String) throws(JSONError) {
        unread.remove(member)
        guard let value = object[member], value.array?.isEmpty != true, value.object?.isEmpty != true else { return }
        throw error("\(member) are \(shown(value)), not empty")
    }

    func finish() throws(JSONError) {
        guard unread.isEmpty else { throw error("unknown member \(unread.sorted().joined(separator: ", "))") }
    }

    private func number(_ text: String, _ what: String) throws(JSONError) -> Int {
        guard let number = Int(text), (0..<32).contains(number), String(number) == text else {
            throw error("\(what) is \(shown(.string(text))), not a number from 0 to 31")
        }
        return number
    }
}

/// A foreign value in a message: short, and printable characters only.
func shown(_ value: JSON) -> String { shown(value.string ?? value.canonical) }

func shown(_ text: String) -> String {
    let printable = text.prefix(80).filter { $0.isASCII && !$0.isNewline && $0 >= " " && $0 <= "~" }
    return printable.isEmpty ? "\"\"" : String(printable)
}
