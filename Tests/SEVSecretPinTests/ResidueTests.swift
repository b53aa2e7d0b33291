// SPDX-License-Identifier: Apache-2.0
import Foundation
import MemoryScan
import PinKit
import SEVSecretPin
import Testing

@Suite(.serialized) struct ResidueTests {
    @Test func `a secret that is bound and opened leaves nothing in memory`() async {
        await #expect(processExitsWith: .success) {
            let folder = FileManager.default.temporaryDirectory.appending(path: "cvm-sev-residue-\(UUID().uuidString)").path
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let registry = PinRegistry([SEVSecretPin(directory: folder)])
            let binding = try Binding(issuedAt: 0, owner: nil, registry: registry)
            let guid = "0a1b2c3d-0000-4000-8000-0123456789ab"
            // The file of the owner becomes the guest's entry where it stands: this process never holds it.
            let encryptor = try registry.encryptor(
                named: "sev-secret", for: ["file": .string("\(folder)/\(guid)"), "guid": .string(guid)], in: binding)
            let canary = try Canary()
            let message = try encryptor.encrypt(canary.reveal())
            try FileManager.default.setAttributes([.posixPermissions: 0o440], ofItemAtPath: "\(folder)/\(guid)")
            do {
                let recovered = try PolicyWalk(registry: registry, deadline: .after(seconds: 10)).recover(message)
                let isSame = recovered.equals(canary.reveal())
                #expect(isSame)
            }
            #expect(try canary.residues() == 0)
        }
    }
}
