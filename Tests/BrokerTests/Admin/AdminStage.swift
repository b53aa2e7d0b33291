// SPDX-License-Identifier: Apache-2.0
import Attestation
import Broker
import BrokerProtocol
import Foundation
import PinKit
import TEESimulator

/// The program with administration on, and two owners who each have a repository and tokens.
final class AdminStage {
    let scratch: TemporaryDirectory
    let owners: [String: SigningKey]
    let now = systemSeconds()
    private(set) var broker: ServingBroker?
    var directory: String { scratch.path + "/broker" }
    var url: String { broker?.url ?? "" }

    struct Answer {
        let status: Int
        let body: String
        var json: JSON { get throws { try JSON(parsing: body) } }
        /// Of an error.
        var name: String { get throws { try KBSError(body: Array(body.utf8)).name } }
    }

    init() throws {
        scratch = try TemporaryDirectory()
        owners = try ["alice": .generate(), "mallory": .generate()]
        let store = StoreKind.current == .postgres ? ["--store", try PostgresServer.database()] : []
        try run(["init", scratch.path + "/broker"] + store)
        for (name, key) in owners.sorted(by: { $0.key < $1.key }) {
            try run(["owner", "add", directory, name, "-"], input: key.publicKey.jwk.canonical)
            try run(["repository", "give", directory, "\(name)-disks", name])
        }
    }

    var store: Store { get throws { try Store(in: BrokerDirectory(directory)) } }

    func thumbprint(_ owner: String) throws -> String { try owners[owner].orThrow(owner).publicKey.thumbprint }

    /// A command that must succeed.
    @discardableResult
    func run(_ arguments: [String], input: String = "") throws -> String {
        let output = try BrokerProcess.run(arguments, input: input)
        guard output.status == 0 else { throw Missing(what: "success of \(arguments): \(output.errors)") }
        return output.output
    }

    /// Serves with `admin` in the configuration file.
    func serve(_ admin: JSON = [:], _ options: [String] = ["--no-tls"]) throws {
        let config = scratch.path + "/config.json"
        try JSON.object(["admin": admin]).canonical.write(toFile: config, atomically: false, encoding: .utf8)
        broker = try ServingBroker(directory: directory, ["--config", config] + options)
    }

    /// A new token's text.
    func token(_ owner: String, _ options: String...) throws -> String {
        let arguments = owner == "operator" ? ["--operator"] : [owner]
        return String(try run(["token", "create", directory] + arguments + options).dropLast())
    }

    /// A call of `token`'s bearer, by curl; `body` nil for none.
    func call(
        _ method: String, _ path: String, _ token: String?, body: String? = nil, _ options: [String] = []
    ) throws -> Answer {
        var arguments = ["-sS", "-X", method, "-w", "\n%{http_code}"] + options
        if let token { arguments += ["-H", "Authorization: Bearer \(token)"] }
        if body != nil { arguments += ["--data-binary", "@-", "-H", "Content-Type: application/octet-stream"] }
        let target = path.hasPrefix("http") ? path : url + path
        let output = try BrokerProcess.run("/usr/bin/curl", arguments + [target], input: body ?? "")
        guard output.status == 0 else { throw Missing(what: "curl's success: \(output.errors)") }
        let lines = output.output.split(separator: "\n", omittingEmptySubsequences: false)
        let status = try Int(lines.last ?? "").orThrow("a status")
        return Answer(status: status, body: lines.dropLast().joined(separator: "\n"))
    }

    /// What a default simulated guest fulfils.
    static let policy = JSON.object(["snp": Stage.policy])
    static let policyHeader = ["-H", "Cvm-Clevis-Policy: \(Base64URL.encode(Array(policy.canonical.utf8)))"]

    /// A reference set that `owner` signed.
    func referenceSet(_ name: String, by owner: String, version: Int64 = 1) throws -> String {
        try referenceSet(name, by: owners[owner].orThrow(owner), version: version)
    }

    func referenceSet(_ name: String, by key: SigningKey, version: Int64 = 1) throws -> String {
        let set = try ReferenceSet(json: [
            "name": .string(name), "version": .integer(version), "iat": .integer(now - 86_400),
            "exp": .integer(now + 100 * 86_400), "covers": ["firmware", "kernel", "initrd", "cmdline"],
            "snp": ["measurement": [.string(Base64URL.encode(SNPSettings.defaultMeasurement))]],
        ])
        return try SignedReferenceSet(set, signedBy: key).compact
    }

    /// The audit log's newest entries about calls, oldest first.
    func recorded() throws -> [AuditEntry] { try store.audit(last: 500).map(\.entry).filter { $0.action != nil } }
}
