// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol
internal import PinKit
internal import TEE

/// What a message of mode *derived* says in its header: what went into the firmware's key, and the salt of ours
/// (docs/spec/pins.md §7).
struct DerivedParameters: Equatable {
    static let mode = "derived"
    static let saltSize = 16
    private static let label = Array("cvm-clevis snp derived v1".utf8) + [0]

    /// Selected in every message, and so not in the header: with less, another guest of the chip could have the key.
    static let always: DerivedKeySelection.Fields = [.guestPolicy, .measurement, .guestSVN, .tcb]
    /// Selected where they are named.
    static let optional: [(name: String, field: DerivedKeySelection.Fields)] = [
        ("family_id", .familyID), ("image_id", .imageID),
    ]

    let selection: DerivedKeySelection
    let salt: [UInt8]

    init(_ selection: DerivedKeySelection, salt: [UInt8]) {
        self.selection = selection
        self.salt = salt
    }

    /// `.malformed` for anything that ``header`` would not have written.
    init(_ message: JWE) throws(PinError) {
        do throws(JSONError) {
            try self.init(JSONReader(message.parameters ?? .null, at: Platform.snp.pin))
        } catch {
            throw JWE.malformed(error.description)
        }
        guard json == message.parameters else { throw JWE.malformed("its parameters are not in their one form") }
    }

    private init(_ reader: JSONReader) throws(JSONError) {
        var reader = reader
        guard try reader.string("mode") == Self.mode else { throw reader.error(at: "mode", "must be \(Self.mode)") }
        let terms = try DerivedConfiguration(&reader)
        guard let guestSVN = terms.guestSVN else { throw reader.error(at: "guest_svn", "is missing") }
        guard let tcb = terms.tcb else { throw reader.error(at: "tcb", "is missing") }
        salt = try reader.base64URL("salt", count: Self.saltSize)
        try reader.finish()
        selection = DerivedKeySelection(
            fields: terms.fields, privilegeLevel: terms.privilegeLevel ?? 0, guestSVN: guestSVN, tcb: tcb)
    }

    /// The message's protected header, without `alg` and `enc`.
    var header: JSONObject {
        ["clevis": ["pin": .string(Platform.snp.pin), Platform.snp.pin: json]]
    }

    private var json: JSON {
        var members: JSONObject = ["mode": .string(Self.mode)]
        let named = Self.optional.filter { selection.fields.contains($0.field) }
        if !named.isEmpty { members["fields"] = .array(named.map { .string($0.name) }) }
        members["guest_svn"] = .integer(Int64(selection.guestSVN))
        members["salt"] = .string(Base64URL.encode(salt))
        members["tcb"] = .string(selection.tcb.hex)
        if selection.privilegeLevel != 0 { members["vmpl"] = .integer(Int64(selection.privilegeLevel)) }
        return .object(members)
    }

    /// The message's content key. All parameters go into it, so that a header that was changed opens nothing.
    func contentKey(from key: borrowing SecretBytes) throws(PinError) -> SecretBytes {
        try key.hkdf(salt: salt, info: Self.label + Array(json.canonical.utf8))
    }
}

/// The configuration of mode *derived*. What is left out is as the guest's own report has it at binding.
struct DerivedConfiguration: Sendable {
    let fields: DerivedKeySelection.Fields
    let guestSVN: UInt32?
    let tcb: TCBVersion?
    let privilegeLevel: UInt8?

    /// Members that the owner's defaults bring in for the other mode.
    private static let foreign = ["url", "broker", "tls", "policy"]

    init(_ configuration: JSON) throws(PinError) {
        do throws(JSONError) {
            var reader = try JSONReader(configuration)
            let modes = [DerivedParameters.mode, ResourceParameters.mode]
            guard try reader.string("mode") == modes[0] else {
                throw reader.error(at: "mode", "must be \(modes.joined(separator: " or ")), or be left out")
            }
            for name in Self.foreign { _ = reader.optional(name) }
            try self.init(&reader)
            try reader.finish()
        } catch {
            throw PinError(.malformed, step: "configuration", detail: error.description)
        }
    }

    fileprivate init(_ reader: inout JSONReader) throws(JSONError) {
        var fields = DerivedParameters.always
        for name in try reader.optionalArray("fields") ?? [] {
            guard let field = DerivedParameters.optional.first(where: { $0.name == name.string })?.field else {
                throw reader.error(at: "fields", "must name family_id or image_id; the others are always selected")
            }
            fields.insert(field)
        }
        self.fields = fields
        guestSVN = try reader.optionalInteger("guest_svn", in: 0...Int64(UInt32.max)).map { UInt32($0) }
        let text = try reader.optionalString("tcb")
        tcb = text.flatMap { TCBVersion(hex: $0) }
        guard text == nil || tcb != nil else { throw reader.error(at: "tcb", "must be 16 hexadecimal digits") }
        privilegeLevel = try reader.optionalInteger("vmpl", in: 0...3).map { UInt8($0) }
    }
}
