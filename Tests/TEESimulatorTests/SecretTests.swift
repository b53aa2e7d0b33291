// SPDX-License-Identifier: Apache-2.0
import Glibc
import TEE
import TEESimulator
import Testing

/// The simulated directory of secrets through the kernel, by the system calls of a guest. Each test is a process of its own.
struct SecretTests {
    @Test func `entries are read as often as one likes, and are gone once removed`() async throws {
        await #expect(processExitsWith: .success) {
            let guid = try #require(SecretGUID("0a1b2c3d-0000-4000-8000-0123456789ab"))
            let secrets = [
                SimulatedSecret(guid, [1, 2, 3]), SimulatedSecret(.diskPassphrase, [UInt8](repeating: 9, count: 3000)),
            ]
            try SimulatedPlatform(.none, secrets: secrets).enter()
            let directory = "/sys/kernel/security/secrets/coco"
            #expect(Kernel.names(in: directory) == [guid.description, SecretGUID.diskPassphrase.description].sorted())
            let path = "\(directory)/\(guid)"
            #expect(Kernel.mode(of: path) == S_IFREG | 0o440)
            for _ in 0..<2 { #expect(try Kernel.contents(of: path) == [1, 2, 3]) }
            let other = "\(directory)/\(SecretGUID.diskPassphrase)"
            #expect(try Kernel.contents(of: other).count == 3000)
            #expect(Kernel.open(path, O_WRONLY) == -EACCES)
            #expect(Kernel.open("\(directory)/new", O_WRONLY | O_CREAT) == -EACCES)
            #expect(Kernel.makeDirectory("\(directory)/new") == -EPERM)

            let file = Kernel.open(path, O_RDONLY)
            #expect(Kernel.unlink(path) == 0)
            #expect(try Kernel.contents(of: file) == [0, 0, 0], "what is open is overwritten, too")
            #expect(Kernel.unlink(path) == -ENOENT)
            #expect(Kernel.open(path, O_RDONLY) == -ENOENT)
            #expect(Kernel.names(in: directory) == [SecretGUID.diskPassphrase.description])
        }
    }

    @Test func `without secrets there is no directory`() async {
        await #expect(processExitsWith: .success) {
            try SimulatedPlatform(.none).enter()
            #expect(Kernel.names(in: "/sys/kernel") == ["config"])
        }
    }
}
