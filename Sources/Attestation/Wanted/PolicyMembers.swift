// SPDX-License-Identifier: Apache-2.0
internal import PinKit
internal import TEE

// The kinds of member that policies and reference-value sets are made of, read strictly and written back.

/// Entries of one list: more is not what a person wrote.
let maximumListCount = 64

extension JSONReader {
    /// Base64url strings of one of `counts` bytes each, none of them all zero: that is what a field holds that was not set,
    /// and would let everybody in. Only of a register that is zero until somebody uses it, zero is a demand like another.
    /// Empty where there is no such member.
    mutating func byteStrings(
        _ name: String, counts: [Int], allowingZero: Bool = false
    ) throws(JSONError) -> [[UInt8]] {
        var list: [[UInt8]] = []
        for text in try stringList(name) {
            guard let bytes = Base64URL.decode(text), counts.contains(bytes.count) else {
                let sizes = counts.map(String.init).joined(separator: " or ")
                throw error(at: name, "must hold base64url without padding of \(sizes) bytes each")
            }
            guard allowingZero || bytes.contains(where: { $0 != 0 }) else { throw error(at: name, "holds only zero bytes") }
            list.append(bytes)
        }
        return list
    }

    mutating func products(_ name: String) throws(JSONError) -> [SNPProduct] {
        var list: [SNPProduct] = []
        for text in try stringList(name) {
            guard let product = SNPProduct(rawValue: text) else { throw error(at: name, unknown(product: text)) }
            list.append(product)
        }
        return list
    }

    mutating func signingKeys(_ name: String) throws(JSONError) -> [SNPSigningKey] {
        var list: [SNPSigningKey] = []
        for text in try stringList(name) {
            guard let key = SNPSigningKey.all.first(where: { $0.memberName == text }) else {
                throw error(at: name, "\(text) is neither vcek nor vlek")
            }
            list.append(key)
        }
        return list
    }

    /// Visible ASCII, as certificates have it.
    mutating func texts(_ name: String) throws(JSONError) -> [String] {
        let list = try stringList(name)
        guard list.allSatisfy({ 1...128 ~= $0.utf8.count && $0.utf8.allSatisfy { 0x20...0x7e ~= $0 } }) else {
            throw error(at: name, "must hold texts of 1 to 128 characters of visible ASCII")
        }
        return list
    }

    mutating func firmware(_ name: String) throws(JSONError) -> SNPFirmwareVersion? {
        try version(name, parts: 3).map { SNPFirmwareVersion(major: $0[0], minor: $0[1], build: $0[2]) }
    }

    mutating func coverage(_ name: String) throws(JSONError) -> SNPPolicy.Coverage {
        let coverage = try flags(name, SNPPolicy.Coverage.names)
        guard !coverage.isEmpty else { throw error(at: name, "must name something") }
        return coverage
    }

    mutating func flags<Flags: OptionSet>(
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
    mutating func version(_ name: String, parts count: Int) throws(JSONError) -> [UInt8]? {
        guard let text = try optionalString(name) else { return nil }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).compactMap { UInt8($0) }
        guard parts.count == count, parts.map(String.init).joined(separator: ".") == text else {
            throw error(at: name, "must be \(count) numbers up to 255 with dots between them")
        }
        return parts
    }

    mutating func minimumTCBs(_ name: String) throws(JSONError) -> [SNPProduct: TCBVersion] {
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
    mutating func stringList(_ name: String) throws(JSONError) -> [String] {
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
    func leavesReservedZero(in layout: TCBLayout) -> Bool {
        let used = layout.components.map(\.index)
        return bytes.indices.allSatisfy { used.contains($0) || bytes[$0] == 0 }
    }
}

extension SNPSigningKey {
    static let all: [SNPSigningKey] = [.vcek, .vlek]

    /// As a policy writes it.
    var memberName: String { self == .vcek ? "vcek" : "vlek" }
}

extension JSON {
    static func names<Flags: OptionSet>(
        of flags: Flags, _ known: [(name: String, bit: Flags)]
    ) -> JSON where Flags.Element == Flags {
        .array(known.filter { flags.contains($0.bit) }.map { .string($0.name) })
    }

    /// nil for an empty list, which has no text.
    static func byteStrings(_ list: [[UInt8]]) -> JSON? {
        list.isEmpty ? nil : .array(list.map { .string(Base64URL.encode($0)) })
    }

    static func texts(_ list: [String]) -> JSON? {
        list.isEmpty ? nil : .array(list.map { .string($0) })
    }

    static func minimumTCBs(_ minimums: [SNPProduct: TCBVersion]) -> JSON? {
        guard !minimums.isEmpty else { return nil }
        var members = JSONObject()
        for product in SNPProduct.allCases { members[product.rawValue] = minimums[product].map { .string($0.hex) } }
        return .object(members)
    }
}
