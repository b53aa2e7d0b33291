// SPDX-License-Identifier: Apache-2.0
import LUKS
import PinKit
import Testing

@Suite struct RoundTripTests {
    let owner: Owner

    init() throws { owner = try Owner() }

    @Test func `a binding opens, is listed and can be removed`() throws {
        let image = try DiskImage()
        let bound = try owner.bind(image, check: .opens(seconds: 10))
        #expect(bound.wasOpened)
        #expect(bound.keyslot == 1 && bound.token == 0)

        let opened = try owner.unlock(image)
        #expect(opened.keyslot == 1 && opened.token == 0)
        let listed = try image.volume.bindings(registry: owner.registry, owner: owner.key.publicKey)
        #expect(listed.map(\.keyslots) == [[1]])
        #expect(listed.map(\.standing) == [.verified])
        #expect(listed.first?.policy?.description == "recording")

        try image.volume.unbind(.keyslot(1))
        #expect(try image.volume.bindings(registry: owner.registry, owner: nil).isEmpty)
        #expect(throws: LUKSError(.notBound)) { try owner.unlock(image) }
        #expect(try image.opens(with: DiskImage.password))
    }

    @Test func `cryptsetup sees a keyslot of 1000 iterations that its token names`() throws {
        let image = try DiskImage()
        try owner.bind(image)
        let metadata = try image.metadata()
        #expect(metadata["keyslots"]?["1"]?["kdf"]?["type"] == "pbkdf2")
        #expect(metadata["keyslots"]?["1"]?["kdf"]?["iterations"] == 1000)
        #expect(metadata["tokens"]?["0"]?["keyslots"] == ["1"])
        #expect(try image.opens(with: DiskImage.password, keyslot: 0))
    }

    @Test func `cryptsetup opens the keyslot with the secret that the policy gives`() throws {
        let image = try DiskImage()
        try owner.bind(image, "null")
        let token = try image.token(0)
        let secret = try PolicyWalk(registry: owner.registry, deadline: .after(seconds: 5)).recover(token.jwe)
        #expect(secret.count == 54)
        let text = unsafe secret.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
        #expect(try image.opens(with: text, keyslot: 1))
    }
}
