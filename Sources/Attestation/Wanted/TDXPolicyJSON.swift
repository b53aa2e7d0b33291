// SPDX-License-Identifier: Apache-2.0
public import PinKit
internal import TEE

extension TDXPolicy {
    /// Throws for a member that is missing, unknown or not as specified, and for a policy that names no firmware.
    public init(json: JSON, at place: String = "policy") throws(JSONError) {
        var reader = try JSONReader(json, at: place)
        self.init(covers: try reader.optional("covers") == nil ? .everything : reader.coverage("covers"))
        reference = try reader.reference()
        try readSoftware(&reader)
        try readHost(&reader)
        try readPlatform(&reader)
        try reader.finish()
        guard !mrTDs.isEmpty || reference != nil else {
            throw JSONError(place: place, problem: "names no software: give mrtd or reference")
        }
        guard mrTDs.isEmpty || reference == nil else {
            throw reader.error(at: "mrtd", "and reference exclude each other: the measurements are in the set")
        }
    }

    /// The demands that a reference-value set makes: those that only ever add to a policy's.
    init(referenceValues json: JSON, covers: Coverage, at place: String) throws(JSONError) {
        var reader = try JSONReader(json, at: place)
        self.init(covers: covers)
        try readValues(&reader)
        try reader.finish()
        guard !mrTDs.isEmpty else { throw JSONError(place: place, problem: "names no software: give mrtd") }
    }

    private mutating func readValues(_ reader: inout JSONReader) throws(JSONError) {
        mrTDs = try reader.byteStrings("mrtd", counts: [48])
        for index in rtmrs.indices {
            rtmrs[index] = try reader.byteStrings("rtmr\(index)", counts: [48], allowingZero: true)
        }
        events = try reader.eventPatterns("events")
        mrSEAMs = try reader.byteStrings("mrseam", counts: [48])
        tcbEvaluation = try reader.optionalInteger("tcb_evaluation", in: 0...Int64(Int32.max)).map { Int($0) }
    }

    private mutating func readSoftware(_ reader: inout JSONReader) throws(JSONError) {
        try readValues(&reader)
        mrConfigID = try reader.optionalBase64URL("mrconfigid", count: 48)
        mrOwner = try reader.optionalBase64URL("mrowner", count: 48)
        mrOwnerConfig = try reader.optionalBase64URL("mrownerconfig", count: 48)
        mrServiceTDs = try reader.byteStrings("mrservicetd", counts: [48], allowingZero: true)
    }

    private mutating func readHost(_ reader: inout JSONReader) throws(JSONError) {
        allowsDebug = try reader.optionalBool("debug") ?? false
        allowsMigration = try reader.optionalBool("migrate") ?? false
        demandsSEPTVEDisable = try reader.optionalBool("sept_ve") ?? true
        allowsPKS = try reader.optionalBool("pks") ?? true
        allowsPerfmon = try reader.optionalBool("perfmon") ?? true
    }

    private mutating func readPlatform(_ reader: inout JSONReader) throws(JSONError) {
        fmspcs = try reader.fmspcs("fmspc")
        ppids = try reader.byteStrings("ppid", counts: [16])
        tcbStatuses = try reader.tcbStatuses("tcb_status") ?? [.upToDate]
        advisories = try reader.stringList("advisories")
    }

    /// The policy without what is the default anyway. Reading it gives an equal policy.
    public var json: JSON {
        var members: JSONObject = [:]
        members["covers"] = covers == .everything ? nil : .names(of: covers, Coverage.names)
        members["reference"] = reference.map { .string($0.name) }
        members["reference_version"] = reference?.minimumVersion.map { .integer($0) }
        addValues(to: &members)
        members["mrconfigid"] = mrConfigID.map { .string(Base64URL.encode($0)) }
        members["mrowner"] = mrOwner.map { .string(Base64URL.encode($0)) }
        members["mrownerconfig"] = mrOwnerConfig.map { .string(Base64URL.encode($0)) }
        members["mrservicetd"] = .byteStrings(mrServiceTDs)
        members["debug"] = allowsDebug ? true : nil
        members["migrate"] = allowsMigration ? true : nil
        members["sept_ve"] = demandsSEPTVEDisable ? nil : false
        members["pks"] = allowsPKS ? nil : false
        members["perfmon"] = allowsPerfmon ? nil : false
        members["fmspc"] = fmspcs.isEmpty ? nil : .array(fmspcs.map { .string(Hex.encode($0)) })
        members["ppid"] = .byteStrings(ppids)
        members["tcb_status"] = tcbStatuses == [.upToDate] ? nil : .array(tcbStatuses.map { .string($0.rawValue) })
        members["advisories"] = advisories.isEmpty ? nil : .array(advisories.map { .string($0) })
        return .object(members)
    }

    /// The demands of a reference-value set (``init(referenceValues:covers:at:)``).
    var referenceValues: JSON {
        var members: JSONObject = [:]
        addValues(to: &members)
        return .object(members)
    }

    private func addValues(to members: inout JSONObject) {
        members["mrtd"] = .byteStrings(mrTDs)
        for (index, list) in rtmrs.enumerated() { members["rtmr\(index)"] = .byteStrings(list) }
        members["events"] = events.isEmpty ? nil : .array(events.map(\.json))
        members["mrseam"] = .byteStrings(mrSEAMs)
        members["tcb_evaluation"] = tcbEvaluation.map { .integer(Int64($0)) }
    }
}

extension TDXPolicy.EventPattern {
    fileprivate init(_ json: JSON, at place: String) throws(JSONError) {
        var reader = try JSONReader(json, at: place)
        self.rtmr = Int(try reader.integer("rtmr", in: 0...Int64(EventLog.registerCount - 1)))
        self.type = try reader.eventType("type")
        self.digest = try reader.optionalBase64URL("digest", count: 48)
        try reader.finish()
    }

    fileprivate var json: JSON {
        var members: JSONObject = ["rtmr": .integer(Int64(rtmr)), "type": .string(type.name)]
        members["digest"] = digest.map { .string(Base64URL.encode($0)) }
        return .object(members)
    }
}

// MARK: - Kinds of member

extension JSONReader {
    /// A name such as `EV_SEPARATOR`, or for a type without one `0x` and its number in hexadecimal, the shortest way.
    fileprivate mutating func eventType(_ name: String) throws(JSONError) -> EventType {
        let text = try string(name)
        if let type = EventType(name: text) { return type }
        guard text.hasPrefix("0x"), let number = UInt32(text.dropFirst(2), radix: 16) else {
            throw error(at: name, "\(text.prefix(64)) is no event type")
        }
        let type = EventType(rawValue: number)
        guard type.name == text, type != .noAction else { throw error(at: name, "must be written \(type.name)") }
        return type
    }

    fileprivate mutating func eventPatterns(_ name: String) throws(JSONError) -> [TDXPolicy.EventPattern] {
        guard let array = try optionalArray(name) else { return [] }
        var patterns: [TDXPolicy.EventPattern] = []
        for (index, json) in array.enumerated() {
            patterns.append(try TDXPolicy.EventPattern(json, at: "\(place).\(name)[\(index)]"))
        }
        guard 1...maximumListCount ~= patterns.count, Set(patterns).count == patterns.count else {
            throw error(at: name, "must hold 1 to \(maximumListCount) events, each once")
        }
        return patterns
    }

    fileprivate mutating func fmspcs(_ name: String) throws(JSONError) -> [[UInt8]] {
        var list: [[UInt8]] = []
        for text in try stringList(name) {
            guard let bytes = Hex.decode(text), bytes.count == 6, Hex.encode(bytes) == text else {
                throw error(at: name, "must hold 12 hexadecimal digits each, in lower case")
            }
            list.append(bytes)
        }
        return list
    }

    fileprivate mutating func tcbStatuses(_ name: String) throws(JSONError) -> [TCBStatus]? {
        let allowed = TCBStatus.allCases.filter { $0 != .revoked }
        var list: [TCBStatus] = []
        for text in try stringList(name) {
            guard let status = allowed.first(where: { $0.rawValue == text }) else {
                throw error(at: name, "\(text.prefix(64)) is not one of \(allowed.map(\.rawValue).joined(separator: ", "))")
            }
            list.append(status)
        }
        return list.isEmpty ? nil : list
    }
}
