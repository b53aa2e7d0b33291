// SPDX-License-Identifier: Apache-2.0
import BrokerProtocol
import PinKit
import Testing

@Suite struct AnswerTests {
    let fixture: Fixture
    init() throws { fixture = try Fixture() }

    @Test func `the guest gets the share`() throws {
        let envelope = try fixture.seal()
        let answer = try Answer.seal(
            SecretBytes(copyingPublic: fixture.share), to: fixture.guest.publicKey, answering: envelope)
        let share = try Answer.open(try JWE(compact: answer.compact), with: fixture.guest, answering: envelope)
        #expect(share.revealed() == fixture.share)
    }

    @Test func `an answer to another envelope is refused`() throws {
        let envelope = try fixture.seal()
        let other = try fixture.seal()
        let answer = try Answer.seal(SecretBytes(copyingPublic: [1]), to: fixture.guest.publicKey, answering: other)
        #expect(throws: PinError(.refused)) { _ = try Answer.open(answer, with: fixture.guest, answering: envelope) }
    }

    @Test func `an answer to another guest is refused`() throws {
        let envelope = try fixture.seal()
        let answer = try Answer.seal(SecretBytes(copyingPublic: [1]), to: fixture.broker.publicKey, answering: envelope)
        #expect(throws: PinError(.refused)) { _ = try Answer.open(answer, with: fixture.guest, answering: envelope) }
    }

    @Test func `an answer whose header says more is malformed`() throws {
        let envelope = try fixture.seal()
        let name = JSON.string(Base64URL.encode(envelope.message.digest))
        let answer = try JWE.Draft(to: fixture.guest.publicKey, header: ["envelope": name, "x": 1])
            .seal(SecretBytes(copyingPublic: [1]))
        #expect(throws: PinError(.malformed)) { _ = try Answer.open(answer, with: fixture.guest, answering: envelope) }
    }

    @Test func `every flipped bit of an answer is refused or malformed`() throws {
        let envelope = try fixture.seal()
        let answer = try Answer.seal(
            SecretBytes(copyingPublic: fixture.share), to: fixture.guest.publicKey, answering: envelope)
        let text = Array(answer.compact.utf8)
        for index in text.indices {
            var changed = text
            changed[index] ^= 1
            let error = #expect(throws: PinError.self) {
                _ = try Answer.open(
                    try JWE(compact: String(decoding: changed, as: UTF8.self)), with: fixture.guest, answering: envelope)
            }
            #expect(error?.code == .refused || error?.code == .malformed, "character \(index)")
        }
    }
}
