// SPDX-License-Identifier: Apache-2.0
import LUKS
import PinKit
import Testing

@Suite struct BootConfigTests {
    static let key: JSON = [
        "crv": "P-256", "kty": "EC", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    ]
    static let volume: JSON = [
        "name": "root", "uuid": "0d6bf2a0-6a53-4b4f-9d0a-0f1b5c2f9e11", "owner": key, "pins": ["snp-attest", "sss"],
        "modes": ["snp-attest": [["mode": "derived", "guest_svn": 4, "tcb": "0a00000000001754"]]],
        "unsigned": false, "on_failure": "poweroff",
    ]
    static func config(_ volumes: JSON...) -> JSON { ["version": 1, "volumes": .array(volumes)] }

    @Test func `what is written is read back`() throws {
        let config = try BootConfig(parsing: Array(BootConfigTests.config(BootConfigTests.volume).canonical.utf8))
        #expect(config.volumes.map(\.name) == ["root"])
        #expect(config.json == BootConfigTests.config(BootConfigTests.volume))
        #expect(try BootConfig(parsing: Array(config.json.pretty.utf8)) == config)
        #expect(config.volumes[0].trust.pins == ["snp-attest", "sss"])
    }

    @Test func `what may be left out has the strict value`() throws {
        var volume = BootConfigTests.volume
        volume.set("unsigned", to: nil)
        volume.set("on_failure", to: nil)
        let config = try BootConfig(parsing: Array(BootConfigTests.config(volume).canonical.utf8))
        #expect(config.volumes[0].unsigned == false && config.volumes[0].onFailure == .poweroff)
    }

    @Test func `an initrd looks at what is not late, and that may be nothing`() throws {
        var late = BootConfigTests.volume
        late.set("name", to: "data")
        late.set("uuid", to: "7d6bf2a0-6a53-4b4f-9d0a-0f1b5c2f9e11")
        late.set("late", to: true)
        let both = try BootConfig(parsing: Array(BootConfigTests.config(BootConfigTests.volume, late).canonical.utf8))
        #expect(both.early.volumes.map(\.name) == ["root"])
        #expect(try BootConfig(parsing: Array(both.json.canonical.utf8)) == both)
        #expect(try BootConfig(parsing: Array(BootConfigTests.config(late).canonical.utf8)).early.volumes.isEmpty)
    }

    struct Broken: Sendable {
        let member: String
        let value: JSON?
        let reason: String
    }

    @Test(arguments: [
        Broken(member: "name", value: "../root", reason: "volumes[0]: name must be"),
        Broken(member: "name", value: "", reason: "volumes[0]: name must be"),
        Broken(member: "name", value: "-root", reason: "volumes[0]: name must be"),
        Broken(member: "uuid", value: "0D6BF2A0-6A53-4B4F-9D0A-0F1B5C2F9E11", reason: "volumes[0]: uuid must be"),
        Broken(member: "uuid", value: "root", reason: "volumes[0]: uuid must be"),
        Broken(member: "owner", value: nil, reason: "volumes[0]: owner is missing"),
        Broken(member: "owner", value: "me", reason: "volumes[0].owner: must be an object"),
        Broken(member: "pins", value: [], reason: "volumes[0]: pins must name"),
        Broken(member: "pins", value: "sss", reason: "volumes[0].pins: must be an array"),
        Broken(member: "unsigned", value: 0, reason: "volumes[0].unsigned: must be true or false"),
        Broken(member: "on_failure", value: "reboot", reason: "volumes[0].on_failure: must be poweroff, prompt or shell"),
        Broken(member: "late", value: "yes", reason: "volumes[0].late: must be true or false"),
        Broken(member: "colour", value: "blue", reason: "volumes[0]: unknown member colour"),
    ]) func `a volume that breaks a rule is refused with its place`(_ broken: Broken) {
        var volume = BootConfigTests.volume
        volume.set(broken.member, to: broken.value)
        let words = refusal { _ = try BootConfig(parsing: Array(BootConfigTests.config(volume).canonical.utf8)) }
        #expect(words.hasPrefix("malformed: boot configuration: \(broken.reason)"), "\(words)")
    }

    @Test func `another version, no volume, two of one name, and text that is not JSON are refused`() {
        let texts = [
            #"{"version":2,"volumes":[]}"#, #"{"version":1,"volumes":[]}"#, #"{"version":1}"#, "{", "[]",
            BootConfigTests.config(BootConfigTests.volume, BootConfigTests.volume).canonical,
        ]
        for text in texts {
            #expect(throws: LUKSError(.malformed), "\(text)") { try BootConfig(parsing: Array(text.utf8)) }
        }
    }
}
