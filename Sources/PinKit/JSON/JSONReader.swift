// SPDX-License-Identifier: Apache-2.0

/// Reads an object member by member, once, and refuses what nobody asked for.
///
/// ```swift
/// var reader = try JSONReader(json, at: "tang")
/// let url = try reader.string("url")
/// let thumbprint = try reader.optionalString("thp")
/// try reader.finish()                    // a member that was not read is an error with its name
/// ```
public struct JSONReader {
    /// Where the object stands, for messages: `pins.tang[0]`.
    public let place: String
    private let object: JSONObject
    private var unread: [String]

    public init(_ json: JSON, at place: String = "") throws(JSONError) {
        guard let object = json.object else { throw JSONError(place: place, problem: "must be an object") }
        self.init(object, at: place)
    }

    public init(_ object: JSONObject, at place: String = "") {
        self.object = object
        self.place = place
        self.unread = object.names
    }

    public mutating func optional(_ name: String) -> JSON? {
        unread.removeAll { $0 == name }
        return object[name]
    }

    public mutating func required(_ name: String) throws(JSONError) -> JSON {
        guard let value = optional(name) else { throw error(at: name, "is missing") }
        return value
    }

    public mutating func optionalString(_ name: String) throws(JSONError) -> String? {
        guard let value = optional(name) else { return nil }
        guard let string = value.string else { throw error(at: name, "must be a string") }
        return string
    }

    public mutating func string(_ name: String) throws(JSONError) -> String {
        guard let string = try optionalString(name) else { throw error(at: name, "is missing") }
        return string
    }

    /// An integer inside `range`, or nil where there is none.
    public mutating func optionalInteger(
        _ name: String, in range: ClosedRange<Int64> = Int64.min...Int64.max
    ) throws(JSONError) -> Int64? {
        guard let value = optional(name) else { return nil }
        guard let integer = value.integer else { throw error(at: name, "must be an integer") }
        guard range.contains(integer) else {
            throw error(at: name, "must be from \(range.lowerBound) to \(range.upperBound), not \(integer)")
        }
        return integer
    }

    public mutating func integer(
        _ name: String, in range: ClosedRange<Int64> = Int64.min...Int64.max
    ) throws(JSONError) -> Int64 {
        guard let integer = try optionalInteger(name, in: range) else { throw error(at: name, "is missing") }
        return integer
    }

    public mutating func optionalBool(_ name: String) throws(JSONError) -> Bool? {
        guard let value = optional(name) else { return nil }
        guard let bool = value.bool else { throw error(at: name, "must be true or false") }
        return bool
    }

    public mutating func optionalArray(_ name: String) throws(JSONError) -> [JSON]? {
        guard let value = optional(name) else { return nil }
        guard let array = value.array else { throw error(at: name, "must be an array") }
        return array
    }

    public mutating func array(_ name: String) throws(JSONError) -> [JSON] {
        guard let array = try optionalArray(name) else { throw error(at: name, "is missing") }
        return array
    }

    public mutating func strings(_ name: String) throws(JSONError) -> [String] {
        var strings: [String] = []
        for element in try array(name) {
            guard let string = element.string else { throw error(at: name, "must hold strings only") }
            strings.append(string)
        }
        return strings
    }

    public mutating func optionalObject(_ name: String) throws(JSONError) -> JSONObject? {
        guard let value = optional(name) else { return nil }
        guard let object = value.object else { throw error(at: name, "must be an object") }
        return object
    }

    /// A reader for the object `name`, or nil where there is none.
    public mutating func optionalReader(_ name: String) throws(JSONError) -> JSONReader? {
        guard let value = optional(name) else { return nil }
        return try JSONReader(value, at: path(to: name))
    }

    public mutating func reader(_ name: String) throws(JSONError) -> JSONReader {
        try JSONReader(try required(name), at: path(to: name))
    }

    /// Bytes in base64url without padding; `count` of them where it is given.
    public mutating func optionalBase64URL(_ name: String, count: Int? = nil) throws(JSONError) -> [UInt8]? {
        guard let text = try optionalString(name) else { return nil }
        guard let bytes = Base64URL.decode(text) else { throw error(at: name, "is not base64url without padding") }
        if let count, bytes.count != count { throw error(at: name, "must be \(count) bytes, not \(bytes.count)") }
        return bytes
    }

    public mutating func base64URL(_ name: String, count: Int? = nil) throws(JSONError) -> [UInt8] {
        guard let bytes = try optionalBase64URL(name, count: count) else { throw error(at: name, "is missing") }
        return bytes
    }

    /// Refuses members that nobody read, and names them.
    public func finish() throws(JSONError) {
        guard let first = unread.first else { return }
        let others = unread.count == 1 ? "" : " and \(unread.count - 1) more"
        throw JSONError(place: place, problem: "unknown member \(first.prefix(64))\(others)")
    }

    public func error(at name: String, _ problem: String) -> JSONError {
        JSONError(place: path(to: name), problem: problem)
    }

    private func path(to name: String) -> String { place.isEmpty ? name : "\(place).\(name)" }
}
