// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// What Intel says of a part at some security version: how it stands, since when, and which advisories apply to it.
package struct TCBAssessment: Sendable, Equatable {
    package let status: TCBStatus
    /// When this level came to be, in seconds since 1970.
    package let date: Int64
    package let advisories: [String]

    fileprivate init(_ reader: inout JSONReader) throws(JSONError) {
        let name = try reader.string("tcbStatus")
        guard let status = TCBStatus(rawValue: name) else {
            throw reader.error(at: "tcbStatus", "\(name) is not known here")
        }
        self.status = status
        self.date = try reader.time("tcbDate")
        self.advisories = try reader.optional("advisoryIDs") == nil ? [] : reader.strings("advisoryIDs")
    }
}

/// A level of a platform: the least that its parts must have for what Intel says of it.
struct PlatformLevel: Sendable {
    /// 16 security version numbers that a PCK certificate names.
    let sgx: [UInt8]
    let pceSVN: Int
    /// 16 security version numbers that a TD report names.
    let tdx: [UInt8]
    let assessment: TCBAssessment

    init(_ json: JSON, at place: String) throws(JSONError) {
        var reader = try JSONReader(json, at: place)
        var tcb = try reader.reader("tcb")
        self.sgx = try tcb.components("sgxtcbcomponents")
        self.tdx = try tcb.components("tdxtcbcomponents")
        self.pceSVN = Int(try tcb.integer("pcesvn", in: 0...0xffff))
        self.assessment = try TCBAssessment(&reader)
    }

    /// Whether a platform with those reaches this level. Where the TDX module has a major version, its levels are listed
    /// apart, and the first two numbers of `teeTCB`, which are the module's, are not compared here.
    func isReached(by pck: PCKIdentity, teeTCB: [UInt8]) -> Bool {
        let moduleCount = teeTCB.dropFirst().first.map { $0 > 0 } == true ? 2 : 0
        return pck.pceSVN >= pceSVN && zip(pck.components, sgx).allSatisfy { $0 >= $1 }
            && zip(teeTCB, tdx).dropFirst(moduleCount).allSatisfy { $0 >= $1 }
    }

    /// Intel's order of levels, highest first: it is not the order of what they demand, which has none.
    static func isHigher(_ left: PlatformLevel, _ right: PlatformLevel) -> Bool {
        for (left, right) in zip(left.sgx + left.tdx, right.sgx + right.tdx) where left != right { return left > right }
        return left.pceSVN > right.pceSVN
    }
}

/// A level of the TDX module or the quoting enclave: the least security version.
struct SVNLevel: Sendable {
    let svn: Int
    let assessment: TCBAssessment

    init(_ json: JSON, at place: String) throws(JSONError) {
        var reader = try JSONReader(json, at: place)
        var tcb = try reader.reader("tcb")
        self.svn = Int(try tcb.integer("isvsvn", in: 0...0xffff))
        self.assessment = try TCBAssessment(&reader)
    }

    /// The highest of the levels that `svn` reaches.
    static func highest(of levels: [SVNLevel], reachedBy svn: Int) -> TCBAssessment? {
        levels.filter { $0.svn <= svn }.max { $0.svn < $1.svn }?.assessment
    }
}

// MARK: - Kinds of member

extension JSONReader {
    /// RFC 3339, in seconds since 1970.
    mutating func time(_ name: String) throws(JSONError) -> Int64 {
        guard let seconds = Timestamp.seconds(try string(name)) else {
            throw error(at: name, "is not a time such as 2026-02-18T10:58:51Z")
        }
        return seconds
    }

    /// issueDate to nextUpdate.
    mutating func window() throws(JSONError) -> ClosedRange<Int64> {
        let (from, to) = (try time("issueDate"), try time("nextUpdate"))
        guard from <= to else { throw error(at: "nextUpdate", "is before issueDate") }
        return from...to
    }

    /// Hexadecimal in either case.
    mutating func hex(_ name: String, count: Int) throws(JSONError) -> [UInt8] {
        guard let bytes = Hex.decode(try string(name)), bytes.count == count else {
            throw error(at: name, "is not \(count) bytes in hexadecimal")
        }
        return bytes
    }

    /// `value`, or an error with its name.
    mutating func expect(_ name: String, _ value: JSON) throws(JSONError) {
        guard try required(name) == value else { throw error(at: name, "is not \(value.compact)") }
    }

    /// What `read` makes of each element.
    mutating func list<Element>(
        _ name: String, _ read: (JSON, String) throws(JSONError) -> Element
    ) throws(JSONError) -> [Element] {
        var list: [Element] = []
        for (index, json) in try array(name).enumerated() { list.append(try read(json, "\(place).\(name)[\(index)]")) }
        return list
    }

    /// 16 objects with a number `svn` each.
    fileprivate mutating func components(_ name: String) throws(JSONError) -> [UInt8] {
        let list = try list(name) { (json, place) throws(JSONError) in
            var reader = try JSONReader(json, at: place)
            return UInt8(try reader.integer("svn", in: 0...255))
        }
        guard list.count == 16 else { throw error(at: name, "does not have 16 components") }
        return list
    }
}
