// SPDX-License-Identifier: Apache-2.0
import Diagnosis
import Foundation
import LUKS
import PinKit
import SEVSecretPin
import TangServer
import Testing

@Suite struct SEVSecretTests {
    let stage: Stage
    /// Stands for the kernel's.
    let area: String
    let guid = "0a1b2c3d-0000-4000-8000-0123456789ab"

    init() throws {
        stage = try Stage()
        area = "\(stage.folder.path)/coco"
        let registry = PinRegistry([SEVSecretPin(directory: area)])
        let binding = try Binding(issuedAt: 1, owner: stage.owner, registry: registry)
        let configuration: JSON = ["file": .string("\(stage.folder.path)/launch.key"), "guid": .string(guid)]
        let encryptor = try registry.encryptor(named: "sev-secret", for: configuration, in: binding)
        let new = NewBinding(encryptor: encryptor, binding: binding, name: "root", check: .skipped)
        _ = try stage.volume.bind(new, passphrase: SecretBytes(copyingPublic: Array(Stage.passphrase.utf8)))
    }

    func check() throws -> Diagnosis { try stage.check(registry: PinRegistry([SEVSecretPin(directory: area)])) }

    func put(_ secret: Data) throws {
        try FileManager.default.createDirectory(atPath: area, withIntermediateDirectories: true)
        try secret.write(to: URL(fileURLWithPath: "\(area)/\(guid)"))
        try FileManager.default.setAttributes([.posixPermissions: 0o440], ofItemAtPath: "\(area)/\(guid)")
    }

    static let unseen = ["warning unreachable token 0: sev-secret", "ok binding token 0", "ok boots"]

    @Test func `outside of the guest a binding is not seen to fail`() throws {
        let diagnosis = try check()
        #expect(diagnosis.boots)
        #expect(diagnosis.summary == Self.unseen)
        #expect(diagnosis.text(.unreachable).contains("its secret comes with a launch, and is not here"))
    }

    @Test func `nor is it in the guest once the secret was used`() throws {
        try FileManager.default.createDirectory(atPath: area, withIntermediateDirectories: true)
        #expect(try check().summary == Self.unseen)
    }

    @Test func `a secret that is there opens it or fails`() throws {
        try put(Data(contentsOf: URL(fileURLWithPath: "\(stage.folder.path)/launch.key")))
        #expect(try check().summary == ["ok pin token 0: sev-secret", "ok binding token 0", "ok boots"])
        try FileManager.default.removeItem(atPath: "\(area)/\(guid)")
        try put(Data(count: 32))
        let diagnosis = try check()
        #expect(!diagnosis.boots)
        #expect(diagnosis.summary.suffix(2) == ["fails binding token 0", "fails boots"])
    }
}
