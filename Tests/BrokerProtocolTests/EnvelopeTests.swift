// SPDX-License-Identifier: Apache-2.0
import BrokerProtocol
import PinKit
import Testing

@Suite struct EnvelopeTests {
    let fixture: Fixture
    init() throws { fixture = try Fixture() }

    @Test(arguments: Platform.allCases) func `the broker gets back the share and the terms`(platform: Platform) throws {
        let sealed = try fixture.seal(platform: platform)
        #expect(sealed.message.pin == platform.pin)
        let read = try Envelope(compact: sealed.message.compact)
        #expect(read.header == sealed.header)
        #expect(read.header.platform == platform)
        #expect(read.header.brokerKeyID == fixture.broker.publicKey.thumbprint)
        #expect(read.header.owner == fixture.owner.publicKey.thumbprint)
        #expect(read.header.policy == Fixture.policy)
        let opened = try read.open(with: fixture.broker)
        let share = try opened.share(signedBy: fixture.owner.publicKey)
        #expect(share.revealed() == fixture.share)
    }

    @Test(arguments: [1, 1024]) func `the shortest and the longest share fit`(count: Int) throws {
        let share = [UInt8](repeating: 7, count: count)
        let opened = try fixture.seal(share).open(with: fixture.broker)
        let back = try opened.share(signedBy: fixture.owner.publicKey)
        #expect(back.revealed() == share)
    }

    @Test(arguments: [0, 1025]) func `a share outside the limits is malformed`(count: Int) {
        #expect(throws: PinError(.malformed)) { try fixture.seal([UInt8](repeating: 7, count: count)) }
    }

    @Test func `another broker cannot open it`() throws {
        let sealed = try fixture.seal()
        let stranger = try AgreementKey.generate()
        #expect(throws: PinError(.refused)) { _ = try sealed.open(with: stranger) }
    }

    @Test func `the share is not given against another owner's key`() throws {
        let stranger = try SigningKey.generate().publicKey
        #expect(outcome(of: try fixture.seal().message.compact, owner: stranger) == .refused)
    }

    @Test func `a header that names an owner who did not sign is refused`() throws {
        let forged = try forge(naming: fixture.owner.publicKey, signedBy: try SigningKey.generate())
        #expect(outcome(of: forged.message.compact) == .refused)
    }

    @Test func `a signature does not serve under another header`() throws {
        let sealed = try fixture.seal()
        let content = try sealed.message.open(with: fixture.broker)
        let moved = try Envelope(JWE.Draft(to: fixture.broker.publicKey, header: clevis(of: sealed)).seal(content))
        #expect(outcome(of: moved.message.compact) == .refused)
    }

    @Test func `every flipped bit of every part is refused or malformed`() throws {
        let text = Array(try fixture.seal().message.compact.utf8)
        for index in text.indices {
            var changed = text
            changed[index] ^= 1
            let code = outcome(of: String(decoding: changed, as: UTF8.self))
            #expect(code == .refused || code == .malformed, "character \(index)")
        }
    }

    @Test func `every dropped byte of every part is refused or malformed`() throws {
        let text = Array(try fixture.seal().message.compact.utf8)
        for index in text.indices {
            var changed = text
            changed.remove(at: index)
            let code = outcome(of: String(decoding: changed, as: UTF8.self))
            #expect(code == .refused || code == .malformed, "character \(index)")
        }
    }

    @Test func `one attested pin is at most 1200 bytes`() throws {
        let url = "https://broker.fleet.example.org:8443/v1"
        #expect(url.utf8.count == 40)
        // A point of sss: two coordinates of 32 bytes.
        let size = try fixture.seal([UInt8](repeating: 1, count: 64), url: url).message.compact.utf8.count
        #expect(size <= 1200, "\(size) bytes")
    }

    @Test(arguments: [
        (#"{"alg":"dir"}"#, "alg"), (#"{"zip":"DEF"}"#, "zip"), (#"{"cty":"x"}"#, "cty"), (#"{"kid":"AAAA"}"#, "kid"),
        (#"{"epk":{"crv":"P-256","kty":"EC","x":"AA","y":"AA"}}"#, "epk"), (#"{"clevis":{"pin":"tang","tang":{}}}"#, "pin"),
    ])
    func `a header with something else in it is malformed`(change: String, member: String) throws {
        var header = try fixture.seal().message.header
        for member in try JSON(parsing: change).object?.members ?? [] { header[member.name] = member.value }
        let error = #expect(throws: PinError.self) { try Envelope(compact: try compact(header)) }
        #expect(error?.code == .malformed)
        #expect(error?.detail.contains(member) == true, "\(error?.detail ?? "")")
    }

    @Test(arguments: ["id", "iat", "owner", "policy", "url"])
    func `a term that is missing is malformed and named`(term: String) throws {
        let error = #expect(throws: PinError.self) { try Envelope(compact: try compact(try changing(term, to: nil))) }
        #expect(error?.detail.contains(term) == true, "\(error?.detail ?? "")")
    }

    @Test(
        arguments: [
            ("id", "AAAA"), ("iat", -1), ("iat", "1"), ("owner", "x"), ("policy", []), ("tls", "AAAA"), ("url", "ftp://x"),
            ("tls", .string(String(repeating: "A", count: 64))),
            ("extra", true),
        ] as [(String, JSON)])
    func `a term of another form is malformed and named`(term: String, value: JSON) throws {
        let error = #expect(throws: PinError.self) { try Envelope(compact: try compact(try changing(term, to: value))) }
        #expect(error?.detail.contains(term) == true, "\(error?.detail ?? "")")
    }

    @Test func `a header that is not canonical is malformed`() throws {
        let sealed = try fixture.seal().message
        let spaced = JSON.object(sealed.header).pretty
        let parts = [Base64URL.encode(spaced.utf8)] + sealed.compact.split(separator: ".").dropFirst().map(String.init)
        #expect(throws: PinError(.malformed)) { try Envelope(compact: parts.joined(separator: ".")) }
    }

    @Test func `a text over the limit is malformed`() throws {
        let policy: JSON = ["covers": [.string(String(repeating: "x", count: Envelope.maximumLength))]]
        #expect(throws: PinError(.malformed)) { try fixture.seal(policy: policy) }
    }

    /// What the broker says to `compact`; nil when it gets the share.
    private func outcome(of compact: String, owner: PublicKey? = nil) -> PinError.Code? {
        do throws(PinError) {
            let opened = try Envelope(compact: compact).open(with: fixture.broker)
            _ = try opened.share(signedBy: owner ?? fixture.owner.publicKey)
            return nil
        } catch {
            return error.code
        }
    }

    /// An envelope as somebody with the broker's public key, but not the owner's private key, can make it.
    private func forge(naming owner: PublicKey, signedBy signer: SigningKey) throws -> Envelope {
        let draft = try JWE.Draft(to: fixture.broker.publicKey, header: clevis(of: try fixture.seal()))
        let label = Array("cvm-clevis envelope v1".utf8) + [0] + Array(draft.protected.utf8) + [0]
        let signature = try signer.sign(label + fixture.share)
        return try Envelope(draft.seal(SecretBytes(copyingPublic: fixture.share + signature)))
    }

    private func clevis(of envelope: Envelope) -> JSONObject {
        ["clevis": envelope.message.header["clevis"] ?? .null]
    }

    private func changing(_ term: String, to value: JSON?) throws -> JSONObject {
        var header = try fixture.seal().message.header
        var terms = try #require(header["clevis"]?["snp-attest"]?.object)
        terms[term] = value
        header["clevis"] = ["pin": "snp-attest", "snp-attest": .object(terms)]
        return header
    }

    /// `header` in front of the other four parts of an envelope.
    private func compact(_ header: JSONObject) throws -> String {
        let rest = try fixture.seal().message.compact.split(separator: ".").dropFirst().map(String.init)
        return ([Base64URL.encode(JSON.object(header).canonical.utf8)] + rest).joined(separator: ".")
    }
}
