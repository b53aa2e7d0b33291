// SPDX-License-Identifier: Apache-2.0
import BrokerProtocol
import Diagnosis
import LUKS
import PinKit
import TangServer
import Testing

/// A pin without hardware whose messages name servers as those of `trustee` and of mode *kbs* do.
private struct ResourcePin: Pin {
    let name: String
    let clevis: JSON

    struct Sealer: Encryptor {
        let clevis: JSON

        func encrypt(_ secret: borrowing SecretBytes) throws(PinError) -> JWE {
            try JWE.encrypt(secret, contentKey: SecretBytes.random(count: 32), header: ["clevis": clevis])
        }
    }

    func encryptor(for configuration: JSON, in binding: Binding) throws(PinError) -> any Encryptor { Sealer(clevis: clevis) }

    func decrypt(_ message: JWE, in run: Run) throws(PinError) -> SecretBytes {
        throw PinError(.failed, detail: "a check must not ask for the resource")
    }
}

@Suite struct KBSProbeTests {
    private func listener(_ status: String, _ body: String, in folder: Folder) throws -> Listener {
        let head = "HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n"
        let file = try folder.write(head + body, to: "answer")
        return try Listener(running: "timeout 0.3 cat >/dev/null; cat \(file)")
    }

    private func check(_ pin: String, _ clevis: JSON, _ stage: Stage) throws -> Diagnosis {
        let registry = PinRegistry([ResourcePin(name: pin, clevis: clevis)])
        let binding = try Binding(issuedAt: 1, owner: stage.owner, registry: registry)
        let encryptor = try registry.encryptor(named: pin, for: [:], in: binding)
        let new = NewBinding(encryptor: encryptor, binding: binding, name: "root", check: .skipped)
        _ = try stage.volume.bind(new, passphrase: SecretBytes(copyingPublic: Array(Stage.passphrase.utf8)))
        return try stage.check(registry: registry)
    }

    @Test func `one server that answers is enough, and one that takes another version answers, too`() throws {
        let stage = try Stage()
        let refusal = KBSError(.init(name: "ProtocolVersion", status: 401), detail: "another").json.canonical
        let server = try listener("401 Unauthorized", refusal, in: stage.folder)
        let servers: JSON = [
            ["url": "http://127.0.0.1:9/", "cert": ""], ["url": .string("http://\(server.address)/"), "cert": ""],
        ]
        let diagnosis = try check("trustee", ["pin": "trustee", "path": "a/b/c", "servers": servers], stage)
        #expect(diagnosis.summary == ["ok pin token 0: trustee", "ok binding token 0", "ok boots"])
        #expect(diagnosis.text(.pin).contains("the server at http://\(server.address)/ answers"))
    }

    @Test(arguments: [("200 OK", "<html>"), ("404 Not Found", ""), ("401 Unauthorized", "{}")])
    func `something else than such a server is unreachable`(status: String, body: String) throws {
        let stage = try Stage()
        let server = try listener(status, body, in: stage.folder)
        let terms: JSON = ["mode": "kbs", "resource": "a/b/c", "url": .string("http://\(server.address)")]
        let diagnosis = try check("snp-attest", ["pin": "snp-attest", "snp-attest": terms], stage)
        #expect(!diagnosis.boots)
        #expect(diagnosis.text(.unreachable).contains("not a KBS' answer: HTTP \(status.prefix(3))"))
    }
}
