// SPDX-License-Identifier: Apache-2.0
import Diagnosis
import Foundation
import LUKS
import NullPin
import PinKit
import SSSPin
import TangPin
import TangServer

/// An owner with a volume in a file, made by Debian's cryptsetup, whose first keyslot opens with a passphrase.
final class Stage: Sendable {
    static let passphrase = "a passphrase of the owner"
    static let registry = PinRegistry([NullPin(), SSSPin(), TangPin { _, _ in true }])

    let owner: SigningKey
    let folder: Folder
    let path: String

    init(format: [String] = []) throws {
        owner = try SigningKey.generate()
        folder = try Folder()
        path = try folder.write("", to: "disk.img")
        try FileHandle(forWritingTo: URL(fileURLWithPath: path)).truncate(atOffset: 32 << 20)
        let options = ["luksFormat", "--batch-mode", "--type", "luks2", "--key-file", "-"]
        let derivation = ["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"]
        try Tool.run(["cryptsetup"] + options + derivation + format + [path], input: Stage.passphrase)
    }

    var volume: Volume { Volume(path) }

    @discardableResult
    func bind(_ pin: String, _ configuration: JSON = [:], signed: Bool = true, by key: SigningKey? = nil) throws
        -> BoundVolume
    {
        let binding = try Binding(issuedAt: 1, owner: signed ? key ?? owner : nil, registry: Stage.registry)
        let encryptor = try Stage.registry.encryptor(named: pin, for: configuration, in: binding)
        let new = NewBinding(encryptor: encryptor, binding: binding, name: "root", check: .skipped)
        return try volume.bind(new, passphrase: SecretBytes(copyingPublic: Array(Stage.passphrase.utf8)))
    }

    /// Writes a token of type clevis that nobody's program made.
    func importToken(_ json: JSON, at number: Int) throws {
        let file = try folder.write(json.compact, to: "token.json")
        try Tool.run(["cryptsetup", "token", "import", "--token-id", "\(number)", "--json-file", file, path])
    }

    func bootConfig(pins: [String], unsigned: Bool = false, uuid: String? = nil) throws -> VolumeCheck.Demands {
        let entry = try BootConfig.Volume(
            name: "root", uuid: uuid ?? volume.uuid(), owner: owner.publicKey, pins: pins, unsigned: unsigned)
        return .boot(try BootConfig(volumes: [entry]))
    }

    func check(
        _ demands: VolumeCheck.Demands? = nil, registry: PinRegistry = Stage.registry, milliseconds: Int = 5000,
        policyProblem: @escaping BrokerProbe.PolicyReader = { _, _ in nil }
    ) throws -> Diagnosis {
        let check = VolumeCheck(
            demands: demands ?? .owner(owner.publicKey), registry: registry,
            probes: [TangProbe(), BrokerProbe(policyProblem: policyProblem), SEVSecretProbe(), KBSProbe()],
            deadline: .after(milliseconds: milliseconds))
        return try check.run(volume)
    }
}

extension Tangd {
    /// A configuration that needs no question.
    func configuration() throws -> JSON { ["url": .string(url), "adv": try advertisement()] }
}

extension Diagnosis {
    /// `severity code place`, without the header's and the passphrase's.
    var summary: [String] {
        findings.filter { $0.code != .header && $0.code != .keyslot }.map { finding in
            [finding.severity.rawValue, finding.code.rawValue, finding.place].filter { !$0.isEmpty }.joined(separator: " ")
        }
    }

    func text(_ code: Finding.Code) -> String { findings.first { $0.code == code }?.description ?? "no finding \(code)" }
}
