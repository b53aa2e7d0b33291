// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Glibc
import LUKS
import PinKit

struct Sign: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sign a binding as it is now, after another program changed it.",
        discussion: """
            A guest takes a change by 'clevis luks regen' or 'cryptsetup reencrypt' for tampering until its owner signs it. Says what
            is different from what you signed before, as far as this machine knows, and asks. A policy that gives a passphrase
            which does not open its keyslot is not signed. Writes the token only.

            Example:
              cvm-clevis luks sign -d disk.img -s 1
            """)

    @OptionGroup var options: VolumeOptions

    @Option(name: .short, help: "The keyslot of the binding.")
    var slot: Int

    @Flag(name: .short, help: "Do not ask.")
    var yes = false

    @Option(help: "The volume's name in the guest's boot.json, where the binding has none any more.")
    var name = "root"

    @OptionGroup var patience: Patience

    func run() throws {
        let defaults = try Defaults()
        guard let owner = try defaults.owner() else {
            throw Failure("there is no owner's key to sign with", hint: "make one with: cvm-clevis init")
        }
        let record = try options.bindings(defaults).first { $0.keyslots.contains(slot) }
        guard let record, let message = record.message else {
            throw Failure("\(options.device): keyslot \(slot) is no clevis binding that can be read")
        }
        guard record.standing != .verified else {
            return Console.say("\(options.device): keyslot \(slot) is signed as it is")
        }
        let seal = seal(record, message)
        let statement = try options.volume.statement(.token(record.token), seal)
        let entry = Ledger.Entry(
            statement: statement, policy: ListedConfiguration(registry: Pins.registry).text(message), keyslot: slot)
        let ledger = Ledger(defaults)
        let old = ledger.entry(id: record.seal?.id, uuid: statement["uuid"]?.string ?? "", keyslot: slot)
        for line in StatementWords(entry).lines(since: old) { Console.say(line) }
        guard try yes || confirmed() else { return Console.say("nothing was changed") }
        let resealing = Resealing(
            message: message, statement: statement, check: .opensIfPossible(seconds: patience.timeout))
        let wasOpened = try options.volume.sign(
            .token(record.token), seal, resealing, by: owner, registry: Pins.registry)
        ledger.remember(entry)
        let proof = wasOpened ? "its policy opened it once" : "only the guest can tell whether its policy opens it"
        Console.say("\(options.device): keyslot \(slot), token \(record.token) is signed; \(proof)")
    }

    /// The binding's own seal with the time of now. One that was lost is made again: under the id that its envelopes have, so
    /// that a revocation still names it.
    private func seal(_ record: BindingRecord, _ message: JWE) -> ClevisToken.Seal {
        let now = Int64(time(nil))
        if let seal = record.seal {
            return ClevisToken.Seal(issuedAt: now, id: seal.id, name: seal.name, instance: seal.instance)
        }
        let attested = Rebinding.leaves(of: message).filter { ConfiguredPin.isAttested($0.pin ?? "") }
        let id = attested.lazy.compactMap { $0.parameters?["id"]?.string }
            .first { Base64URL.decode($0)?.count == 16 }
        return ClevisToken.Seal(
            issuedAt: now, id: id ?? (try? Random.bytes(16)).map { Base64URL.encode($0) } ?? "", name: name,
            instance: Bind.instance(ofPolicies: attested.compactMap { $0.parameters?["policy"] }))
    }

    private func confirmed() throws -> Bool {
        guard let answer = Terminal.confirms("Sign it? [yN] ") else {
            throw Failure("there is no terminal to ask on", hint: "-y signs without a question")
        }
        return answer
    }
}
