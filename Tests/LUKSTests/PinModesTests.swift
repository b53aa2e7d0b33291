// SPDX-License-Identifier: Apache-2.0
import LUKS
import NullPin
import PinKit
import Testing

@Suite struct PinModesTests {
    private let registry = PinRegistry([NullPin()])
    private static let derived: JSONObject = [
        "guest_svn": 4, "mode": "derived", "salt": "c2FsdA", "tcb": "0a00000000001754",
    ]

    /// A message of a pin whose part of the header is `parameters`, as a leaf of a policy.
    private func leaf(_ parameters: JSONObject, pin: String = "snp-attest") throws -> PolicyOutline {
        let message = try JWE.encrypt(
            SecretBytes(copyingPublic: [1]), contentKey: .random(count: 32),
            header: ["clevis": ["pin": .string(pin), pin: .object(parameters)]])
        return try PolicyOutline(of: message, registry: registry)
    }

    private func modes(_ text: String) throws(LUKSError) -> PinModes {
        let volume =
            #"{"name":"root","uuid":"0d6bf2a0-6a53-4b4f-9d0a-0f1b5c2f9e11","pins":["snp-attest"],"unsigned":true,"modes":\#(text)}"#
        return try BootConfig(parsing: Array(#"{"version":1,"volumes":[\#(volume)]}"#.utf8)).volumes[0].modes
    }

    @Test func `without modes a message with one is not allowed, and one without is`() throws {
        #expect(try PinModes().allow(leaf(["url": "https://b.example"])))
        #expect(try !PinModes().allow(leaf(Self.derived)))
        #expect(try !PinModes().allow(leaf(["mode": 1])))
        #expect(try !PinModes().allow(leaf(["mode": "sealed"])))
    }

    @Test func `a mode is allowed with exactly the selectors that are listed`() throws {
        let modes = try modes(#"{"snp-attest":[{"mode":"derived","guest_svn":4,"tcb":"0a00000000001754"}]}"#)
        #expect(try modes.allow(leaf(Self.derived)))
        let changes: [(String, JSON?)] = [
            ("guest_svn", 3), ("tcb", "0900000000001754"), ("guest_svn", nil), ("vmpl", 1), ("mode", "other"), ("mode", nil),
        ]
        for (name, value) in changes {
            var parameters = Self.derived
            parameters[name] = value
            #expect(try !modes.allow(leaf(parameters)), "\(name)")
        }
        #expect(try !modes.allow(leaf(["url": "https://b.example"])), "the usual mode is not listed")
        #expect(try !modes.allow(leaf(Self.derived, pin: "other")), "of another pin")
    }

    @Test func `the usual mode can be listed beside another`() throws {
        let modes = try modes(
            #"{"snp-attest":[{"mode":"sealed"},{"mode":"derived","guest_svn":4,"tcb":"0a00000000001754"}]}"#)
        #expect(try modes.allow(leaf(["url": "https://b.example"])) && modes.allow(leaf(Self.derived)))
    }

    @Test func `what bindings have is what they need, and survives being written`() throws {
        let policies = [try leaf(Self.derived), try leaf(["url": "https://b.example"]), try leaf([:], pin: "null")]
        let modes = PinModes(of: policies)
        #expect(policies.map(modes.allow) == [true, true, true])
        #expect(try !modes.allow(leaf(["mode": "derived"])))
        let volume = try BootConfig.Volume(
            name: "root", uuid: "0d6bf2a0-6a53-4b4f-9d0a-0f1b5c2f9e11", owner: nil, pins: ["snp-attest"], modes: modes,
            unsigned: true)
        let written = Array(try BootConfig(volumes: [volume]).json.canonical.utf8)
        #expect(try BootConfig(parsing: written).volumes == [volume])
        #expect(PinModes(of: [policies[1]]).isEmpty)
    }

    @Test(arguments: [
        "[]", #"{"snp-attest":{}}"#, #"{"snp-attest":[]}"#, #"{"snp-attest":[{"tcb":"00"}]}"#,
        #"{"snp-attest":["derived"]}"#,
    ])
    func `modes of another shape are malformed`(text: String) {
        #expect(throws: LUKSError(.malformed)) { try modes(text) }
    }
}
