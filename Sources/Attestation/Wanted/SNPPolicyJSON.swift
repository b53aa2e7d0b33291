// SPDX-License-Identifier: Apache-2.0
public import PinKit
internal import TEE

/// Entries of one list: more is not what a person wrote.
private let maximumListCount = 64

extension SNPPolicy {
    /// Throws for a member that is missing, unknown or not as specified, and for a policy that names no software.
    public init(json: JSON, at place: String = "policy") throws(JSONError) {
        var reader = try JSONReader(json, at: place)
        self.init(covers: try reader.optional("covers") == nil ? .everything : reader.coverage("covers"))
        try readSoftware(&reader)
        try readHost(&reader)
        try readPlatform(&reader)
        try reader.finish()
        guard !measurements.isEmpty || !idKeyDigests.isEmpty else {
            throw JSONError(place: place, problem: "names no software: give measurement or id_key_digest")
        }
    }

    private mutating func readSoftware(_ reader: inout JSONReader) throws(JSONError) {
        measurements = try reader.byteStrings("measurement", counts: [48])
        idKeyDigests = try reader.byteStrings("id_key_digest", counts: [48])
        authorKeyDigests = try reader.byteStrings("author_key_digest", counts: [48])
        familyID = try reader.optionalBase64URL("family_id", count: 16)
        imageID = try reader.optionalBase64URL("image_id", count: 16)
        guestSVN = try reader.optionalInteger("guest_svn", in: 0...Int64(UInt32.max)).map(UInt32.init)
        hostData = try reader.optionalBase64URL("host_data", count: 32)
        vmpl = UInt32(try reader.optionalInteger("vmpl", in: 0...3) ?? 0)
    }

    private mutating func readHost(_ reader: inout JSONReader) throws(JSONError) {
        allowsDebug = try reader.optionalBool("debug") ?? false
        allowsMigration = try reader.optionalBool("migrate") ?? false
        allowsSMT = try reader.optionalBool("smt") ?? true
        allowsCXL = try reader.optionalBool("cxl") ?? true
        guestPolicy = try reader.flags("guest_policy", SNPGuestPolicy.protections)
        if let parts = try reader.version("abi", parts: 2) { abi = ABIVersion(major: parts[0], minor: parts[1]) }
    }

    private mutating func readPlatform(_ reader: inout JSONReader) throws(JSONError) {
        products = try reader.products("product")
        chips = try reader.byteStrings("chip", counts: [64, 8])
        platformInfo = try reader.flags("platform", SNPPlatformInfo.protections)
        tcb = try reader.minimumTCBs("tcb")
        committedTCB = try reader.minimumTCBs("tcb_committed")
        launchTCB = try reader.minimumTCBs("tcb_launch")
        if let parts = try reader.version("firmware", parts: 3) {
            firmware = SNPFirmwareVersion(major: parts[0], minor: parts[1], build: parts[2])
        }
        mitigations = UInt64(try reader.optionalInteger("mitigations", in: 1...1 << 53) ?? 0)
    }
}

extension SNPPolicy {
    /// The policy without what is the default anyway. Reading it gives an equal policy.
    public var json: JSON {
        var members: JSONObject = [:]
        members["covers"] = covers == .everything ? nil : .names(of: covers, Coverage.names)
        members["measurement"] = .byteStrings(measurements)
        members["id_key_digest"] = .byteStrings(idKeyDigests)
        members["author_key_digest"] = .byteStrings(authorKeyDigests)
        members["family_id"] = familyID.map { .string(Base64URL.encode($0)) }
        members["image_id"] = imageID.map { .string(Base64URL.encode($0)) }
        members["guest_svn"] = guestSVN.map { .integer(Int64($0)) }
        members["host_data"] = hostData.map { .string(Base64URL.encode($0)) }
        members["vmpl"] = vmpl == 0 ? nil : .integer(Int64(vmpl))
        members["debug"] = allowsDebug ? true : nil
        members["migrate"] = allowsMigration ? true : nil
        members["smt"] = allowsSMT ? nil : false
        members["cxl"] = allowsCXL ? nil : false
        members["guest_policy"] = guestPolicy.isEmpty ? nil : .names(of: guestPolicy, SNPGuestPolicy.protections)
        members["abi"] = abi.map { .string($0.description) }
        members["product"] = products.isEmpty ? nil : .array(products.map { .string($0.rawValue) })
        members["chip"] = .byteStrings(chips)
        members["platform"] = platformInfo.isEmpty ? nil : .names(of: platformInfo, SNPPlatformInfo.protections)
        members["tcb"] = .minimumTCBs(tcb)
        members["tcb_committed"] = .minimumTCBs(committedTCB)
        members["tcb_launch"] = .minimumTCBs(launchTCB)
        members["firmware"] = firmware.map { .string($0.description) }
        members["mitigations"] = mitigations == 0 ? nil : .integer(Int64(clamping: mitigations))
        return .object(members)
    }
}

// MARK: - Kinds of member

extension JSONReader {
    /// Base64url strings of one of `counts` bytes each, none of them all zero: that is what a field holds that was not set,
    /// and would let everybody in. Empty where there is no such member.
    fileprivate mutating func byteStrings(_ name: String, counts: [Int]) throws(JSONError) -> [[UInt8]] {
        var list: [[UInt8]] = []
        for text in try stringList(name) {
            guard let bytes = Base64URL.decode(text), counts.contains(bytes.count) else {
                let sizes = counts.map(String.init).joined(separator: " or ")
                throw error(at: name, "must hold base64url without padding of \(sizes) bytes each")
            }
            guard bytes.contains(where: { $0 != 0 }) else { throw error(at: name, "holds only zero bytes") }
            list.append(bytes)
        }
        return list
    }

    fileprivate mutating func products(_ name: String) throws(JSONError) -> [SNPProduct] {
        var list: [SNPProduct] = []
        for text in try stringList(name) {
            guard let product = SNPProduct(rawValue: text) else { throw error(at: name, unknown(product: text)) }
            list.append(product)
        }
        return list
    }

    fileprivate mutating func coverage(_ name: String) throws(JSONError) -> SNPPolicy.Coverage {
        let coverage = try flags(name, SNPPolicy.Coverage.names)
        guard !coverage.isEmpty else { throw error(at: name, "must name something") }
        return coverage
    }

    fileprivate mutating func flags<Flags: OptionSet>(
        _ name: String, _ known: [(name: String, bit: Flags)]
    ) throws(JSONError) -> Flags where Flags.Element == Flags {
        var flags: Flags = []
        for text in try stringList(name) {
            guard let bit = known.first(where: { $0.name == text })?.bit else {
                throw error(at: name, "\(text) is not one of \(known.map(\.name).joined(separator: ", "))")
            }
            flags.formUnion(bit)
        }
        return flags
    }

    /// `1.55`, `1.55.40`: numbers up to 255.
    fileprivate mutating func version(_ name: String, parts count: Int) throws(JSONError) -> [UInt8]? {
        guard let text = try optionalString(name) else { return nil }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).compactMap { UInt8($0) }
        guard parts.count == count, parts.map(String.init).joined(separator: ".") == text else {
            throw error(at: name, "must be \(count) numbers up to 255 with dots between them")
        }
        return parts
    }

    fileprivate mutating func minimumTCBs(_ name: String) throws(JSONError) -> [SNPProduct: TCBVersion] {
        guard let value = optional(name) else { return [:] }
        guard let members = value.object?.members, !members.isEmpty else {
            throw error(at: name, "must be an object with a member per product")
        }
        var minimums: [SNPProduct: TCBVersion] = [:]
        for member in members {
            guard let product = SNPProduct(rawValue: member.name) else {
                throw error(at: name, unknown(product: member.name))
            }
            guard let tcb = member.value.string.flatMap(TCBVersion.init(hex:)) else {
                throw error(at: "\(name).\(member.name)", "must be 16 hexadecimal digits")
            }
            guard tcb.leavesReservedZero(in: product.tcbLayout) else {
                throw error(at: "\(name).\(member.name)", "sets a byte that \(member.name)'s layout does not use")
            }
            minimums[product] = tcb
        }
        return minimums
    }

    /// The strings of an array; an empty one is an error, since it could mean nobody or everybody.
    private mutating func stringList(_ name: String) throws(JSONError) -> [String] {
        guard optional(name) != nil else { return [] }
        let list = try strings(name)
        guard 1...maximumListCount ~= list.count, Set(list).count == list.count else {
            throw error(at: name, "must hold 1 to \(maximumListCount) strings, each once")
        }
        return list
    }

    private func unknown(product: String) -> String {
        "\(product) is not one of \(SNPProduct.allCases.map(\.rawValue).joined(separator: ", "))"
    }
}

extension TCBVersion {
    fileprivate func leavesReservedZero(in layout: TCBLayout) -> Bool {
        let used = layout.components.map(\.index)
        return bytes.indices.allSatisfy { used.contains($0) || bytes[$0] == 0 }
    }
}

extension JSON {
    fileprivate static func names<Flags: OptionSet>(
        of flags: Flags, _ known: [(name: String, bit: Flags)]
    ) -> JSON where Flags.Element == Flags {
        .array(known.filter { flags.contains($0.bit) }.map { .string($0.name) })
    }

    /// nil for an empty list, which has no text.
    fileprivate static func byteStrings(_ list: [[UInt8]]) -> JSON? {
        list.isEmpty ? nil : .array(list.map { .string(Base64URL.encode($0)) })
    }

    fileprivate static func minimumTCBs(_ minimums: [SNPProduct: TCBVersion]) -> JSON? {
        guard !minimums.isEmpty else { return nil }
        var members = JSONObject()
        for product in SNPProduct.allCases { members[product.rawValue] = minimums[product].map { .string($0.hex) } }
        return .object(members)
    }
}
