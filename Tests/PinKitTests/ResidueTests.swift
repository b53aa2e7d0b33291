// SPDX-License-Identifier: Apache-2.0
import MemoryScan
import PinKit
import Testing

/// After a secret was used and let go, no piece of it may be left in this process: not raw, not as base64url.
@Suite(.serialized) struct ResidueTests {
    @Test func `the scan finds a secret that was left behind`() throws {
        let canary = try Canary()
        let careless = bytes(of: canary.reveal())
        #expect(try canary.residues() > 0)
        #expect(careless.count == Canary.length)
    }

    @Test func `a direct message leaves neither its content nor its key`() throws {
        let (content, key) = (try Canary(), try Canary())
        for _ in 0..<8 { try roundTrip(content.reveal(), key.reveal()) }
        #expect(try content.residues() == 0)
        #expect(try key.residues() == 0)
    }

    @Test func `a message to a key leaves nothing of its content`() throws {
        let content = try Canary()
        for _ in 0..<8 { try roundTrip(content.reveal()) }
        #expect(try content.residues() == 0)
    }

    private func roundTrip(_ content: borrowing SecretBytes, _ key: borrowing SecretBytes) throws {
        let message = try JWE.encrypt(content, contentKey: key, header: ["clevis": ["pin": "test"]])
        let opened = try message.decrypt(contentKey: key).equals(content)
        #expect(opened)
    }

    private func roundTrip(_ content: borrowing SecretBytes) throws {
        let recipient = try AgreementKey.generate()
        let message = try JWE.Draft(to: recipient.publicKey, header: [:]).seal(content)
        let opened = try message.open(with: recipient).equals(content)
        #expect(opened)
    }
}
