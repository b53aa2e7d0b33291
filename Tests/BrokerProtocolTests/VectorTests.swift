// SPDX-License-Identifier: Apache-2.0
import BrokerProtocol
import Glibc
import PinKit
import Testing

/// Tests/Vectors/envelope.json, which another implementation of docs/spec/envelope.md made.
@Suite struct VectorTests {
    let vector: JSON

    init() throws {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        vector = try JSON(parsing: try readFile("/\(root)/Tests/Vectors/envelope.json"))
    }

    private func text(_ name: String) throws -> String { try #require(vector[name]?.string, "\(name)") }

    private func key(_ name: String) throws -> AgreementKey {
        let jwk = try #require(vector[name]?.canonical, "\(name)")
        return try AgreementKey(jwk: SecretBytes(copyingPublic: Array(jwk.utf8)))
    }

    @Test func `the envelope opens to the share, signed by the owner`() throws {
        let envelope = try Envelope(compact: try text("envelope"))
        let owner = try PublicKey(jwk: try #require(vector["owner"]))
        let share = try envelope.open(with: try key("broker")).share(signedBy: owner)
        #expect(Hex.encode(share.revealed()) == (try text("share")))
    }

    @Test func `the signature stands behind the share`() throws {
        let envelope = try Envelope(compact: try text("envelope"))
        let content = try envelope.message.open(with: try key("broker"))
        #expect(Hex.encode(content.revealed()) == (try text("share") + text("signature")))
    }

    @Test func `the header's members are read`() throws {
        let header = try Envelope(compact: try text("envelope")).header
        let expected = try #require(vector["header"])
        #expect(header.platform == .snp)
        #expect(header.brokerKeyID == expected["kid"]?.string)
        #expect(header.id == expected["id"]?.string)
        #expect(header.issuedAt == expected["iat"]?.integer)
        #expect(header.owner == expected["owner"]?.string)
        #expect(header.policy == expected["policy"])
        #expect(header.tls.map { Base64URL.encode($0) } == expected["tls"]?.string)
        #expect(header.url.text == expected["url"]?.string)
    }

    @Test func `the answer opens to the share`() throws {
        let envelope = try Envelope(compact: try text("envelope"))
        let share = try Answer.open(try JWE(compact: try text("answer")), with: try key("guest"), answering: envelope)
        #expect(Hex.encode(share.revealed()) == (try text("share")))
    }

    @Test func `the request reads, and writes the same bytes`() throws {
        let json = try #require(vector["request"])
        let request = try UnsealRequest(json)
        #expect(request.envelopes == [try text("envelope")])
        #expect(request.nonce == (try text("nonce")))
        #expect(String(decoding: request.body, as: UTF8.self) == json.canonical)
    }

    @Test func `report data is the digest of the input`() throws {
        let request = try UnsealRequest(try #require(vector["request"]))
        let broker = try Envelope(compact: try text("envelope")).header.brokerKeyID
        let input = ReportData.input(
            broker: broker, envelopes: [try JWE(compact: try text("envelope")).digest], nonce: request.nonce,
            tee: request.tee,
            guestKey: request.guestKey)
        #expect(input == (try text("report_data_input")))
        #expect(Hex.encode(request.reportData(broker: broker)) == (try text("report_data")))
    }
}

private struct Unreadable: Error { let path: String }

private func readFile(_ path: String) throws -> [UInt8] {
    guard let file = unsafe fopen(path, "r") else { throw Unreadable(path: path) }
    defer { unsafe fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 64 << 10)
    let count = unsafe fread(&bytes, 1, bytes.count, file)
    return Array(bytes.prefix(count))
}

/// Tests/Vectors/envelope-two-tls-pins.json, which another implementation of docs/spec/envelope.md made.
@Suite struct TwoPinsVectorTests {
    @Test func `an envelope with two TLS pins opens, and says both`() throws {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let vector = try JSON(parsing: try readFile("/\(root)/Tests/Vectors/envelope-two-tls-pins.json"))
        let envelope = try Envelope(compact: try #require(vector["envelope"]?.string))
        let pins = try #require(vector["tls"]?.array).map { $0.string.flatMap { Base64URL.decode($0) } ?? [] }
        #expect(pins.count == 2 && envelope.header.tls == pins[0] + pins[1])
        let jwk = try #require(vector["broker"]?.canonical)
        let key = try AgreementKey(jwk: SecretBytes(copyingPublic: Array(jwk.utf8)))
        let owner = try PublicKey(jwk: try #require(vector["owner"]))
        let share = try envelope.open(with: key).share(signedBy: owner)
        #expect(Hex.encode(share.revealed()) == vector["share"]?.string)
    }
}
