// SPDX-License-Identifier: Apache-2.0
import Foundation
import MemoryScan
import PinKit
import Synchronization
import TPM2Pin
import Testing

@Suite(.serialized) struct PINTests {
    let tpm: SoftwareTPM

    init() throws { tpm = try SoftwareTPM() }

    @Test(arguments: [
        #"{"pin":true}"#, #"{"pin":true,"key":"rsa"}"#, #"{"pin":true,"pcr_ids":"7,11"}"#,
    ])
    func `the right PIN opens, a wrong one is refused, and nothing stays in the TPM`(configuration: String) throws {
        let message = try tpm.encrypt("hello", JSON(parsing: configuration), with: tpm.typing("1234"))
        #expect(try tpm.decrypt(message, with: tpm.typing("1234")) == "hello")
        let error = try #require(throws: PinError(.refused)) { try tpm.decrypt(message, with: tpm.typing("1235")) }
        #expect(error.detail.hasPrefix("wrong PIN; the TPM: 2 of 3 tries left; it forgives one every"))
        #expect(try tpm.leftovers() == "")
    }

    @Test func `too many wrong PINs lock the TPM, which the error tells apart from a wrong PIN`() throws {
        let message = try tpm.encrypt("hello", ["pin": true], with: tpm.typing("1234"))
        for _ in 0..<3 {
            #expect(throws: PinError(.refused)) { try tpm.decrypt(message, with: tpm.typing("0000")) }
        }
        let error = try #require(throws: PinError(.unavailable)) { try tpm.decrypt(message, with: tpm.typing("1234")) }
        #expect(error.detail.hasPrefix("too many wrong PINs: locked; it forgives one every"))
        try tpm.run("tpm2_dictionarylockout", "-c")
        #expect(try tpm.decrypt(message, with: tpm.typing("1234")) == "hello")
    }

    @Test func `wrong PINs count towards the lockout only where there is a PIN`() throws {
        #expect(try attributes(of: tpm.encrypt("x", [:])) == "000004d2")
        #expect(try attributes(of: tpm.encrypt("x", ["pcr_ids": "7"])) == "00000492")
        #expect(try attributes(of: tpm.encrypt("x", ["pin": true], with: tpm.typing("1234"))) == "00000092")
    }

    private func attributes(of message: JWE) throws -> String {
        let area = try #require(message.parameters?["jwk_pub"]?.string.flatMap { Base64URL.decode($0) })
        return Hex.encode(area[6..<10])
    }

    @Test func `a new PIN is asked for twice, and then known for the proof of the binding`() throws {
        let asked = Mutex<[String]>([])
        let pin = TPM2Pin(tcti: tpm.tcti) { (text) throws(PinError) in
            asked.withLock { $0.append(text) }
            return SecretBytes(copyingPublic: Array("1234".utf8))
        }
        let registry = tpm.registry(pin)
        let binding = try Binding(issuedAt: 0, owner: nil, registry: registry)
        let encryptor = try registry.encryptor(named: "tpm2", for: ["pin": true], in: binding)
        let message = try encryptor.encrypt(SecretBytes(copyingPublic: [7]))
        for count in [2, 3] {
            let walk = PolicyWalk(registry: registry, deadline: .after(seconds: 60))
            #expect(try walk.recover(message).count == 1)
            #expect(asked.withLock { $0.count } == count)
        }
        #expect(
            asked.withLock { $0 } == ["New PIN for the TPM: ", "The same PIN again: ", "PIN for the TPM: "])
    }

    @Test func `two PINs that differ are refused before anything is sealed`() throws {
        let count = Mutex(0)
        let pin = TPM2Pin(tcti: "none") { (_) throws(PinError) in
            SecretBytes(copyingPublic: [
                UInt8(ascii: "0")
                    + UInt8(
                        count.withLock {
                            $0 += 1; return $0
                        })
            ])
        }
        let error = try #require(throws: PinError(.refused)) { try tpm.encrypt("x", ["pin": true], with: pin) }
        #expect(error.detail == "the two PINs are not the same")
    }

    @Test func `a program that cannot ask says so, at binding and at opening`() throws {
        let message = try tpm.encrypt("hello", ["pin": true], with: tpm.typing("1234"))
        let silent = TPM2Pin(tcti: tpm.tcti) { (_) throws(PinError) in nil }
        for (pin, reason) in [
            (TPM2Pin(tcti: tpm.tcti), "this program has nobody to ask"), (silent, "there is no terminal, or no answer"),
        ] {
            for action in [
                { _ = try tpm.decrypt(message, with: pin) }, { _ = try tpm.encrypt("x", ["pin": true], with: pin) },
            ] {
                let error = try #require(throws: PinError(.unavailable), performing: action)
                #expect(error.detail == reason)
            }
        }
    }

    @Test(arguments: ["", String(repeating: "1", count: 257)])
    func `a PIN has 1 to 256 characters`(text: String) throws {
        let error = try #require(throws: PinError(.refused)) {
            try tpm.encrypt("x", ["pin": true], with: tpm.typing(text))
        }
        #expect(error.detail == "a PIN has 1 to 256 characters")
    }

    /// SHA-256 of "cvm26" ends in zero bytes; a TPM drops those of an auth value.
    @Test func `a PIN whose digest ends in zeros opens`() throws {
        let pin = try #require((0..<100_000).lazy.map { "cvm\($0)" }.first { Digest.sha256(Array($0.utf8)).last == 0 })
        let message = try tpm.encrypt("hello", ["pin": true], with: tpm.typing(pin))
        #expect(try tpm.decrypt(message, with: tpm.typing(pin)) == "hello")
    }

    @Test func `stock clevis refuses a message with a PIN without asking the TPM`() throws {
        let message = try tpm.encrypt("hello", ["pin": true], with: tpm.typing("1234"))
        let failure = try #require(throws: SoftwareTPM.Failure.self) {
            try tpm.run("clevis", "decrypt", input: message.compact)
        }
        #expect(failure.message.contains("JWE missing required 'hash' header parameter!"))
    }

    @Test func `a tool that tries the empty password does not count as a wrong PIN`() throws {
        let message = try tpm.encrypt("hello", ["pin": true], with: tpm.typing("1234"))
        let forged = try message.with { $0["hash"] = "sha256" }
        #expect(throws: SoftwareTPM.Failure.self) { try tpm.run("clevis", "decrypt", input: forged.compact) }
        #expect(try tpm.run("tpm2_getcap", "properties-variable").contains("TPM2_PT_LOCKOUT_COUNTER: 0x0\n"))
    }

    @Test func `a header without pin, or without the parent's name, opens nothing`() throws {
        let message = try tpm.encrypt("hello", ["pin": true], with: tpm.typing("1234"))
        let error = try #require(throws: PinError(.refused)) { try tpm.decrypt(message.with { $0["pin"] = nil }) }
        #expect(error.step == "TPM2_Unseal")
        let unnamed = try message.with { $0["name"] = nil }
        #expect(throws: PinError(.malformed)) { try tpm.decrypt(unnamed, with: tpm.typing("1234")) }
    }

    @Test func `another parent than at binding is refused before the PIN is proved to it`() throws {
        let message = try tpm.encrypt("hello", ["pin": true], with: tpm.typing("1234"))
        try tpm.run("tpm2_clear", "-c", "p")
        let error = try #require(throws: PinError(.refused)) { try tpm.decrypt(message, with: tpm.typing("1234")) }
        #expect(error.detail.hasPrefix("it is another one than at binding"))
    }

    /// tss2's recorder writes down every command and response.
    @Test func `neither PIN nor key crosses the bus in clear`() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("cvm-bus-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let record = folder.appendingPathComponent("bus.pcap").path
        unsafe setenv("TCTI_PCAP_FILE", record, 1)
        defer { unsafe unsetenv("TCTI_PCAP_FILE") }
        let (pin, key) = (try Random.bytes(32), try Random.bytes(32))
        let sealer = Sealer(tcti: "pcap:\(tpm.tcti)")
        let configuration = try TPM2Configuration(["pin": true, "pcr_ids": "7"])
        // The auth value that the TPM compares; it ends in no zero here.
        let auth = Digest.sha256(pin + [0]).map { $0 | 1 }
        let header = try sealer.seal(SecretBytes(copyingPublic: key), auth: SecretBytes(copyingPublic: auth), configuration)
        let unsealed = try sealer.unseal(header, auth: SecretBytes(copyingPublic: auth), before: .after(seconds: 60))
        let isEqual = unsealed.equals(SecretBytes(copyingPublic: key))
        #expect(isEqual)
        let bus = try Data(contentsOf: URL(fileURLWithPath: record))
        // What is not secret does stand there: TPM2_Unseal with its size (0x15e).
        #expect(bus.range(of: Data([0, 0, 0x01, 0x5e])) != nil)
        for secret in [key, auth] {
            for start in stride(from: 0, through: 16, by: 4) {
                #expect(bus.range(of: Data(secret[start..<start + 16])) == nil)
            }
        }
    }

    @Test func `neither binding nor opening leaves a piece of the PIN, of its digest or of the key in memory`() throws {
        let (pin, key) = (try Canary(), try Canary())
        let digest = try Canary(masking: pin.reveal().sha256)
        let asking = TPM2Pin(tcti: tpm.tcti) { (_) throws(PinError) in pin.reveal() }
        let registry = tpm.registry(asking)
        for configuration in [["pin": true], ["pin": true, "pcr_ids": "7"]] as [JSON] {
            for _ in 0..<3 {
                let binding = try Binding(issuedAt: 0, owner: nil, registry: registry)
                let encryptor = try registry.encryptor(named: "tpm2", for: configuration, in: binding)
                let message = try encryptor.encrypt(key.reveal())
                for _ in 0..<2 {
                    let recovered = try PolicyWalk(registry: registry, deadline: .after(seconds: 60)).recover(message)
                    let isEqual = recovered.equals(key.reveal())
                    #expect(isEqual)
                }
            }
        }
        #expect(try pin.residues() == 0)
        #expect(try digest.residues() == 0)
        #expect(try key.residues() == 0)
    }

    @Test func `a wrong PIN leaves nothing in memory either`() throws {
        let pin = try Canary()
        let digest = try Canary(masking: pin.reveal().sha256)
        let message = try tpm.encrypt("hello", ["pin": true], with: tpm.typing("1234"))
        let asking = TPM2Pin(tcti: tpm.tcti) { (_) throws(PinError) in pin.reveal() }
        #expect(throws: PinError(.refused)) { try tpm.decrypt(message, with: asking) }
        #expect(try pin.residues() == 0)
        #expect(try digest.residues() == 0)
    }
}
