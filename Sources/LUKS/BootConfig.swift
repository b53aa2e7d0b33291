// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// `boot.json`: which volumes a guest opens, in whose name, and what happens when one stays closed (docs/spec/boot-config.md).
/// It lies inside the initrd, so that the launch measurement covers it.
public struct BootConfig: Sendable, Equatable {
    public static let defaultPath = "/etc/cvm-clevis/boot.json"
    /// Bytes of the file.
    public static let maximumLength = 64 << 10
    public static let maximumVolumes = 16

    public let volumes: [Volume]

    public struct Volume: Sendable, Equatable {
        /// The name that bindings carry, and that of the opened device: `[A-Za-z0-9_.-]{1,64}`, not starting with `.` or `-`.
        public let name: String
        /// The LUKS UUID in lower case.
        public let uuid: String
        /// Whose bindings are accepted; may be nil only where unsigned ones are.
        public let owner: PublicKey?
        /// The pins that a policy may use, thresholds (`sss`) included.
        public let pins: [String]
        /// How those with several modes may be asked.
        public let modes: PinModes
        /// Whether a binding without a signature is accepted.
        public let unsigned: Bool
        public let onFailure: OnFailure
        /// Whether the running system opens it, and not the initrd.
        public let isLate: Bool

        /// `.malformed` where a member breaks the rule in its comment.
        public init(
            name: String, uuid: String, owner: PublicKey?, pins: [String], modes: PinModes = PinModes(),
            unsigned: Bool = false, onFailure: OnFailure = .poweroff, isLate: Bool = false
        ) throws(LUKSError) {
            do throws(JSONError) {
                try self.init(name, uuid, owner, pins, modes, unsigned, onFailure, isLate, at: "")
            } catch {
                throw LUKSError(.malformed, step: "boot configuration", detail: error.description)
            }
        }

        public var trust: VolumeTrust {
            VolumeTrust(owner: owner, unsigned: unsigned, name: name, uuid: uuid, pins: pins, modes: modes)
        }
    }

    /// What happens when a volume stays closed.
    public enum OnFailure: String, Sendable {
        /// The machine goes off: nobody is meant to stand at its console.
        case poweroff
        /// Whoever is at the console may type a passphrase.
        case prompt
        /// As `prompt`; and an emergency shell may follow.
        case shell
    }

    public init(volumes: [Volume]) throws(LUKSError) {
        do throws(JSONError) {
            try BootConfig.check(volumes)
        } catch {
            throw LUKSError(.malformed, step: "boot configuration", detail: error.description)
        }
        self.volumes = volumes
    }

    /// Parses the file; a member that is not known is an error.
    public init(parsing text: [UInt8]) throws(LUKSError) {
        do throws(JSONError) {
            var reader = try JSONReader(JSON(parsing: text, limit: BootConfig.maximumLength))
            _ = try reader.integer("version", in: 1...1)
            var volumes: [Volume] = []
            for (index, json) in try reader.array("volumes").enumerated() {
                volumes.append(try Volume(JSONReader(json, at: "volumes[\(index)]")))
            }
            try reader.finish()
            try BootConfig.check(volumes)
            self.volumes = volumes
        } catch {
            throw LUKSError(.malformed, step: "boot configuration", detail: error.description)
        }
    }

    /// Without what the running system opens: what an initrd looks at. It may have no volumes.
    public var early: BootConfig { BootConfig(checked: volumes.filter { !$0.isLate }) }

    private init(checked volumes: [Volume]) { self.volumes = volumes }

    public var json: JSON { ["version": 1, "volumes": .array(volumes.map(\.json))] }

    private static func check(_ volumes: [Volume]) throws(JSONError) {
        guard (1...maximumVolumes).contains(volumes.count) else {
            throw JSONError(place: "volumes", problem: "must hold from 1 to \(maximumVolumes) volumes, not \(volumes.count)")
        }
        for key in [\Volume.name, \Volume.uuid] where Set(volumes.map { $0[keyPath: key] }).count != volumes.count {
            throw JSONError(place: "volumes", problem: "two of them share a name or a UUID")
        }
    }
}

extension BootConfig.Volume {
    fileprivate init(_ reader: JSONReader) throws(JSONError) {
        var reader = reader
        let name = try reader.string("name")
        let uuid = try reader.string("uuid")
        let key = reader.optional("owner")
        let owner = try key.map { json throws(JSONError) in try PublicKey(jwk: json, at: "\(reader.place).owner") }
        let pins = try reader.strings("pins")
        let listed = reader.optional("modes")
        let modes = try listed.map { json throws(JSONError) in try PinModes(json, at: "\(reader.place).modes") }
        let unsigned = try reader.optionalBool("unsigned") ?? false
        let text = try reader.optionalString("on_failure") ?? BootConfig.OnFailure.poweroff.rawValue
        guard let onFailure = BootConfig.OnFailure(rawValue: text) else {
            throw reader.error(at: "on_failure", "must be poweroff, prompt or shell")
        }
        let isLate = try reader.optionalBool("late") ?? false
        try reader.finish()
        try self.init(name, uuid, owner, pins, modes ?? PinModes(), unsigned, onFailure, isLate, at: reader.place)
    }

    private init(
        _ name: String, _ uuid: String, _ owner: PublicKey?, _ pins: [String], _ modes: PinModes, _ unsigned: Bool,
        _ onFailure: BootConfig.OnFailure, _ isLate: Bool, at place: String
    ) throws(JSONError) {
        guard BootConfig.Volume.isName(name) else {
            throw JSONError(place: place, problem: "name must be 1 to 64 of A-Z a-z 0-9 _ . - and start with none of . -")
        }
        guard BootConfig.Volume.isUUID(uuid) else {
            throw JSONError(place: place, problem: "uuid must be a UUID in lower case")
        }
        guard owner != nil || unsigned else {
            throw JSONError(place: place, problem: "owner is missing, and unsigned bindings are not allowed")
        }
        guard !pins.isEmpty else { throw JSONError(place: place, problem: "pins must name at least one pin") }
        self.name = name
        self.uuid = uuid
        self.owner = owner
        self.pins = pins
        self.modes = modes
        self.unsigned = unsigned
        self.onFailure = onFailure
        self.isLate = isLate
    }

    fileprivate var json: JSON {
        var members: JSONObject = ["name": .string(name), "uuid": .string(uuid)]
        members["owner"] = owner?.jwk
        members["pins"] = .array(pins.map { .string($0) })
        if !modes.isEmpty { members["modes"] = modes.json }
        members["unsigned"] = .bool(unsigned)
        members["on_failure"] = .string(onFailure.rawValue)
        if isLate { members["late"] = true }
        return .object(members)
    }

    /// Whether `name` can be a volume's: it becomes a path under /dev/mapper.
    public static func isName(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count) && name.first != "." && name.first != "-"
            && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "_.-".contains($0)) }
    }

    private static func isUUID(_ text: String) -> Bool {
        let lengths = text.split(separator: "-", omittingEmptySubsequences: false).map(\.utf8.count)
        return lengths == [8, 4, 4, 4, 12] && text.allSatisfy { "0123456789abcdef-".contains($0) }
    }
}
