// SPDX-License-Identifier: Apache-2.0
import LUKS
import PinKit
import Testing

@Suite struct PassphraseTests {
    let owner: Owner

    init() throws { owner = try Owner() }

    private func passphrase(_ image: DiskImage, _ choice: BindingChoice, trust: VolumeTrust? = nil) throws -> String {
        let secret = try image.volume.passphrase(
            of: choice, trust: trust ?? owner.trust, registry: owner.registry, deadline: .after(seconds: 10))
        return unsafe secret.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
    }

    @Test func `the passphrase of a binding opens its keyslot and no other`() throws {
        let image = try DiskImage()
        try owner.bind(image)
        try owner.bind(image, "null")
        let text = try passphrase(image, .keyslot(2))
        #expect(text.utf8.count == 54)
        #expect(try image.opens(with: text, keyslot: 2))
        #expect(try !image.opens(with: text, keyslot: 1))
        #expect(try passphrase(image, .token(1)) == text)
    }

    @Test func `a place without a binding has none`() throws {
        let image = try DiskImage()
        try owner.bind(image)
        #expect(throws: LUKSError(.notBound)) { try passphrase(image, .keyslot(0)) }
        #expect(throws: LUKSError(.notBound)) { try passphrase(image, .token(1)) }
    }

    @Test func `a binding that is not trusted is refused before its pin is asked`() throws {
        let image = try DiskImage()
        try owner.bind(image, signed: false)
        let stranger = try Owner()
        try stranger.bind(image)
        for keyslot in [1, 2] {
            #expect(throws: LUKSError(.refused)) { try passphrase(image, .keyslot(keyslot)) }
        }
        #expect(owner.recording.timesAsked == 0)
        #expect(throws: Never.self) {
            try passphrase(image, .keyslot(1), trust: VolumeTrust(owner: nil, unsigned: true))
        }
    }

    @Test func `a keyslot that was given another passphrase is said to be so`() throws {
        let (image, other) = (try DiskImage(), try DiskImage())
        try owner.bind(image, signed: false)
        try owner.bind(other, signed: false)
        let foreign = try #require(try other.metadata()["tokens"]?["0"])
        try image.rewriteHeader { $0.set("tokens", "0", to: foreign) }
        let words = refusal { _ = try passphrase(image, .keyslot(1), trust: VolumeTrust(owner: nil, unsigned: true)) }
        #expect(words == "\(image.path): token 0: refused: open: its secret does not open its keyslot any more")
    }
}
