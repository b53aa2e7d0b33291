// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// In which modes a volume's pins may be asked, and by which selectors: `modes` of `boot.json` (docs/spec/boot-config.md).
/// Nothing on the disk may choose them.
public struct PinModes: Sendable, Equatable {
    /// What a message without a mode has.
    private static let usual: JSON = "sealed"

    /// By pin: objects, of which one must agree with the message. A pin that is not named has the usual mode only.
    private let allowed: JSONObject

    public init() { allowed = [:] }

    /// By pin, a list of objects with a `mode`; `.malformed` for anything else.
    public init(_ allowed: JSONObject) throws(LUKSError) {
        do throws(JSONError) {
            try self.init(.object(allowed), at: "modes")
        } catch {
            throw LUKSError(.malformed, step: "boot configuration", detail: error.description)
        }
    }

    /// Throws for anything but lists of objects.
    init(_ json: JSON, at place: String) throws(JSONError) {
        guard let allowed = json.object else { throw JSONError(place: place, problem: "must be an object") }
        for member in allowed.members {
            guard let list = member.value.array, !list.isEmpty, list.allSatisfy({ $0["mode"]?.string != nil }) else {
                throw JSONError(place: "\(place).\(member.name)", problem: "must hold objects with a mode")
            }
        }
        self.allowed = allowed
    }

    /// What the pins of `policies` have now: for a configuration that is to allow these and no others.
    public init(of policies: [PolicyOutline]) {
        let leaves = policies.flatMap(\.leaves)
        var allowed: JSONObject = [:]
        for pin in Set(leaves.filter { $0.parameters?["mode"] != nil }.map(\.pin)).sorted() {
            var list: [JSON] = []
            for leaf in leaves where leaf.pin == pin {
                let selectors = Self.selectors(leaf.parameters)
                if !list.contains(selectors) { list.append(selectors) }
            }
            allowed[pin] = .array(list)
        }
        self.allowed = allowed
    }

    public var isEmpty: Bool { allowed.members.isEmpty }

    var json: JSON { .object(allowed) }

    /// Whether the message that `leaf` stands for may be asked as it says.
    package func allow(_ leaf: PolicyOutline) -> Bool {
        guard let list = allowed[leaf.pin]?.array else { return leaf.parameters?["mode"] == nil }
        let actual = Self.selectors(leaf.parameters)
        return list.contains { wanted in
            wanted["mode"] == Self.usual ? actual["mode"] == Self.usual : wanted == actual
        }
    }

    /// Mode and selectors of a message: all of its parameters but the salt, or the usual mode alone.
    private static func selectors(_ parameters: JSON?) -> JSON {
        guard var members = parameters?.object, members["mode"] != nil else { return ["mode": usual] }
        members["salt"] = nil
        return .object(members)
    }
}
