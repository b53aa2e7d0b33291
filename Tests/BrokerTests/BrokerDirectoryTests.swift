// SPDX-License-Identifier: Apache-2.0
import Broker
import BrokerProtocol
import Foundation
import PinKit
import Testing

@Suite struct BrokerDirectoryTests {
    let scratch: TemporaryDirectory
    let url: BrokerURL
    var path: String { scratch.path + "/broker" }

    init() throws {
        scratch = try TemporaryDirectory()
        url = try BrokerURL("https://broker.example:8443")
    }

    private func create(selfSigned: Bool = true) throws -> PublicDescription {
        try BrokerDirectory.create(at: path, url: url, selfSigned: selfSigned, now: 1_700_000_000)
    }

    @Test func `a new broker says the same in public.json as its keys do`() throws {
        let description = try create()
        let directory = BrokerDirectory(path)
        #expect(try directory.publicDescription() == description)
        #expect(try directory.loadKeys().envelopes.current.publicKey == description.broker)
        #expect(description.url == url)
        #expect(try directory.pins(certificate: path + "/tls-cert.pem"))
    }

    @Test func `secrets are for their owner only`() throws {
        _ = try create()
        for name in ["resource.key", "audit.pem", "broker.sqlite"] {
            #expect(try scratch.mode(of: "broker/\(name)") == 0o600, "\(name)")
        }
        #expect(try scratch.mode(of: "broker") == 0o700)
        #expect(try scratch.mode(of: "broker/public.json") == 0o644)
    }

    @Test func `a key file that others may read is refused, with what to do`() throws {
        _ = try create()
        try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path + "/resource.key")
        let error = #expect(throws: BrokerError.self) { _ = try BrokerDirectory(path).loadKeys() }
        #expect(error?.hint?.hasPrefix("chmod 600 ") == true)
    }

    @Test func `nothing is overwritten`() throws {
        let description = try create()
        let error = #expect(throws: BrokerError.self) { _ = try create() }
        #expect(error?.message.contains("is not empty") == true)
        #expect(try BrokerDirectory(path).publicDescription() == description)
    }

    @Test func `an attempt that fails leaves nothing behind`() throws {
        // A host that fits in no certificate.
        let impossible = try BrokerURL("https://[not:an:address]")
        #expect(throws: BrokerError.self) {
            _ = try BrokerDirectory.create(at: path, url: impossible, selfSigned: true, now: 0)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: path).isEmpty)
    }

    @Test func `without a TLS identity of its own there is no pin`() throws {
        #expect(try create(selfSigned: false).tls == nil)
        var settings = ServeSettings()
        settings.directory = path
        let error = #expect(throws: BrokerError.self) { _ = try BrokerService(settings) }
        #expect(error?.message == "\(path) has no TLS key of its own")
        let refused = #expect(throws: BrokerError.self) { try BrokerDirectory(path).rotate(.tls, now: 1_700_000_000) }
        #expect(refused?.message == "this broker has no TLS key of its own")
    }

    @Test func `a directory without a broker says how to make one`() throws {
        #expect(
            throws: BrokerError("\(path) is not a broker's directory", hint: "make one with: cvm-clevis-broker init \(path)")
        ) { _ = try Store(in: BrokerDirectory(path)) }
    }
}

@Suite struct ListenAddressTests {
    @Test(arguments: [
        ("127.0.0.1:8443", "127.0.0.1", 8443, true), ("[::1]:0", "::1", 0, true), ("localhost:1", "localhost", 1, true),
        ("0.0.0.0:443", "0.0.0.0", 443, false), ("[::]:443", "::", 443, false),
        ("127.evil.example:1", "127.evil.example", 1, false),
    ])
    func `addresses are read`(text: String, host: String, port: UInt16, loopback: Bool) throws {
        let address = try ListenAddress(text)
        #expect(address.host == host && address.port == port && address.isLoopback == loopback)
    }

    @Test(arguments: ["", "8443", ":8443", "127.0.0.1", "127.0.0.1:65536", "127.0.0.1:-1", "[]:1"])
    func `what is no address is refused`(text: String) {
        #expect(throws: BrokerError.self) { _ = try ListenAddress(text) }
    }
}
