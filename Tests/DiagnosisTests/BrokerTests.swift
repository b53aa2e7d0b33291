// SPDX-License-Identifier: Apache-2.0
import BrokerProtocol
import Diagnosis
import LUKS
import PinKit
import TangServer
import Testing

/// Something on this machine that answers every request with `status` and `body`.
private func server(_ status: String, _ body: String, in folder: Folder) throws -> Listener {
    let head = "HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n"
    let file = try folder.write(head + body, to: "answer")
    return try Listener(running: "timeout 0.3 cat >/dev/null; cat \(file)")
}

/// A pin without hardware: seals as `snp-attest` does.
private struct AttestedPin: Pin {
    let name = "snp-attest"
    let url: String

    struct Sealer: Encryptor {
        let url: String
        let owner: SigningKey

        func encrypt(_ secret: borrowing SecretBytes) throws(PinError) -> JWE {
            do {
                return try Envelope.seal(
                    secret, to: AgreementKey.generate().publicKey, by: owner, platform: .snp,
                    id: Base64URL.encode(Random.bytes(16)), issuedAt: 1,
                    policy: ["covers": ["firmware"], "measurement": []], tls: nil, url: BrokerURL(url)
                ).message
            } catch {
                throw PinError(.failed, detail: "\(error)")
            }
        }
    }

    func encryptor(for configuration: JSON, in binding: Binding) throws(PinError) -> any Encryptor {
        guard let owner = binding.owner else { throw PinError(.malformed) }
        return Sealer(url: url, owner: owner)
    }

    func decrypt(_ message: JWE, in run: Run) throws(PinError) -> SecretBytes {
        throw PinError(.failed, detail: "a check must not ask for the share")
    }
}

@Suite struct BrokerTests {
    private func check(
        _ url: String, _ stage: Stage, policyProblem: @escaping BrokerProbe.PolicyReader = { _, _ in nil }
    ) throws -> Diagnosis {
        let registry = PinRegistry([AttestedPin(url: url)])
        let binding = try Binding(issuedAt: 1, owner: stage.owner, registry: registry)
        let encryptor = try registry.encryptor(named: "snp-attest", for: [:], in: binding)
        let new = NewBinding(encryptor: encryptor, binding: binding, name: "root", check: .skipped)
        _ = try stage.volume.bind(new, passphrase: SecretBytes(copyingPublic: Array(Stage.passphrase.utf8)))
        return try stage.check(registry: registry, policyProblem: policyProblem)
    }

    @Test func `a broker that gives a nonce is fine, and the share is not asked for`() throws {
        let stage = try Stage()
        let nonce = Challenge(nonce: [UInt8](repeating: 1, count: 32)).json.canonical
        let broker = try server("200 OK", nonce, in: stage.folder)
        let diagnosis = try check("http://\(broker.address)", stage)
        #expect(diagnosis.summary == ["ok pin token 0: snp-attest", "ok binding token 0", "ok boots"])
    }

    @Test func `a policy that nobody would bind today is a warning`() throws {
        let stage = try Stage()
        let nonce = Challenge(nonce: [UInt8](repeating: 1, count: 32)).json.canonical
        let broker = try server("200 OK", nonce, in: stage.folder)
        let diagnosis = try check("http://\(broker.address)", stage) { pin, policy in
            "\(pin) covers \(policy["covers"]?.canonical ?? "nothing")"
        }
        #expect(diagnosis.boots)
        #expect(diagnosis.text(.policy).contains(#"its policy: snp-attest covers ["firmware"]; next: "#))
    }

    @Test(arguments: [("404 Not Found", "", "HTTP 404"), ("200 OK", "<html>", "not a broker's answer")])
    func `something else than a broker is unreachable`(status: String, body: String, words: String) throws {
        let stage = try Stage()
        let other = try server(status, body, in: stage.folder)
        let diagnosis = try check("http://\(other.address)", stage)
        #expect(!diagnosis.boots)
        #expect(diagnosis.text(.unreachable).contains("http://\(other.address)/kbs/v0/auth: not a broker's answer"))
        #expect(diagnosis.text(.unreachable).contains(words))
    }

    @Test func `a broker that is not there is unreachable`() throws {
        let diagnosis = try check("http://127.0.0.1:1", Stage())
        #expect(diagnosis.summary == ["fails unreachable token 0: snp-attest", "fails binding token 0", "fails boots"])
    }
}
