// SPDX-License-Identifier: Apache-2.0
internal import CJose

extension JSON {
    /// Limits on a text from outside; a policy that needs more is not one a person wrote.
    public static let maximumDepth = 32
    public static let maximumLength = 4 << 20

    /// Parses one JSON text (any value on top). Refuses duplicate names, NUL in strings, trailing text, more than
    /// ``maximumDepth`` levels and more than `limit` bytes.
    public init(parsing text: [UInt8], limit: Int = JSON.maximumLength) throws(JSONError) {
        guard text.count <= limit else {
            throw JSONError(place: "", problem: "\(text.count) bytes of JSON are more than the \(limit) allowed here")
        }
        if let plain = PlainJSON.parse(text) {
            self = plain
        } else {
            try self.init(parsingByJansson: text)
        }
    }

    /// The same without a limit on the length.
    package init(parsingByJansson text: [UInt8]) throws(JSONError) {
        var error = json_error_t()
        let tree = unsafe text.withUnsafeBytes { bytes in
            let start = unsafe bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            return unsafe json_loadb(start, bytes.count, size_t(JSON_REJECT_DUPLICATES | JSON_DECODE_ANY), &error)
        }
        guard let tree = unsafe tree else {
            throw JSONError(place: "line \(error.line), column \(error.column)", problem: jsonErrorText(error))
        }
        defer { unsafe json_decref(tree) }
        self = try unsafe JSON(reading: tree, depth: 0)
    }

    public init(parsing text: String, limit: Int = JSON.maximumLength) throws(JSONError) {
        try self.init(parsing: Array(text.utf8), limit: limit)
    }

    /// Members sorted by name at every level and no spaces: what a signature or a JWE header covers, and the bytes that
    /// clevis writes.
    public var canonical: String {
        JSONWriter.text(of: self, sortsMembers: true) ?? textByJansson(sortsMembers: true)
    }

    /// One line, members in their own order.
    public var compact: String {
        JSONWriter.text(of: self, sortsMembers: false) ?? textByJansson(sortsMembers: false)
    }

    /// Indented, members in their own order: for people.
    public var pretty: String { text(flags: 0x02 /* JSON_INDENT(2) */) }

    package func textByJansson(sortsMembers: Bool) -> String {
        text(flags: sortsMembers ? JSON_SORT_KEYS | JSON_COMPACT : JSON_COMPACT)
    }

    private func text(flags: Int32) -> String {
        let tree = unsafe makeTree()
        defer { unsafe json_decref(tree) }
        guard let dump = unsafe json_dumps(tree, size_t(flags | JSON_ENCODE_ANY)) else {
            preconditionFailure("jansson prints every tree that makeTree() builds")
        }
        defer { unsafe free(dump) }
        return unsafe String(cString: dump)
    }
}

extension JSON {
    /// Copies a jansson tree, which stays the caller's.
    init(reading tree: UnsafeMutablePointer<json_t>, depth: Int) throws(JSONError) {
        guard depth <= JSON.maximumDepth else {
            throw JSONError(place: "", problem: "nested more than \(JSON.maximumDepth) levels deep")
        }
        switch unsafe tree.pointee.type {
        case JSON_OBJECT: self = .object(try unsafe JSON.members(of: tree, depth: depth))
        case JSON_ARRAY: self = .array(try unsafe JSON.elements(of: tree, depth: depth))
        case JSON_STRING: self = .string(unsafe JSON.string(of: tree))
        case JSON_INTEGER: self = .integer(unsafe Int64(json_integer_value(tree)))
        case JSON_REAL: self = .real(unsafe json_real_value(tree))
        case JSON_TRUE: self = .bool(true)
        case JSON_FALSE: self = .bool(false)
        default: self = .null
        }
    }

    private static func members(
        of tree: UnsafeMutablePointer<json_t>, depth: Int
    ) throws(JSONError) -> JSONObject {
        var members: [JSONObject.Member] = []
        var position = unsafe json_object_iter(tree)
        while let here = unsafe position {
            let name = unsafe String(cString: json_object_iter_key(here))
            let value = try unsafe JSON(reading: json_object_iter_value(here), depth: depth + 1)
            members.append(JSONObject.Member(name: name, value: value))
            unsafe position = unsafe json_object_iter_next(tree, here)
        }
        return JSONObject(distinct: members)
    }

    private static func elements(
        of tree: UnsafeMutablePointer<json_t>, depth: Int
    ) throws(JSONError) -> [JSON] {
        var elements: [JSON] = []
        for index in 0..<(unsafe json_array_size(tree)) {
            elements.append(try unsafe JSON(reading: json_array_get(tree, index), depth: depth + 1))
        }
        return elements
    }

    private static func string(of tree: UnsafeMutablePointer<json_t>) -> String {
        let length = unsafe json_string_length(tree)
        let start = unsafe UnsafeRawPointer(json_string_value(tree))
        return unsafe String(decoding: UnsafeRawBufferPointer(start: start, count: length), as: UTF8.self)
    }

    /// A new jansson tree with one reference, for the caller to release.
    func makeTree() -> UnsafeMutablePointer<json_t> {
        switch self {
        case .null: return unsafe json_null()
        case .bool(let value): return unsafe value ? json_true() : json_false()
        case .integer(let value): return unsafe json_integer(json_int_t(value))
        case .real(let value): return unsafe json_real(value) ?? json_null()
        case .string(let value): return unsafe JSON.makeString(value)
        case .array(let values):
            let tree = unsafe json_array()!
            for value in values { _ = unsafe json_array_append_new(tree, value.makeTree()) }
            return unsafe tree
        case .object(let object):
            let tree = unsafe json_object()!
            for member in object.members { _ = unsafe json_object_set_new(tree, member.name, member.value.makeTree()) }
            return unsafe tree
        }
    }

    private static func makeString(_ value: String) -> UnsafeMutablePointer<json_t> {
        var value = value
        return value.withUTF8 { bytes in
            let start = unsafe UnsafeRawPointer(bytes.baseAddress)?.assumingMemoryBound(to: CChar.self)
            // A Swift String is valid UTF-8, the only thing json_stringn can object to.
            return unsafe json_stringn(start ?? UnsafePointer(bitPattern: 1)!, bytes.count)!
        }
    }
}

private func jsonErrorText(_ error: json_error_t) -> String {
    unsafe withUnsafeBytes(of: error.text) { bytes in
        unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
}
