// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Broker
import BrokerProtocol
import PinKit

struct Init: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a new broker: its keys, its database, and public.json for its owners.",
        discussion: """
            DIR must be empty or not exist; nothing is ever overwritten.

            Example:
              cvm-clevis-broker init /srv/broker --url https://broker.example:8443
              cvm-clevis-broker init /srv/broker --store postgres://broker@db.example/broker
              cvm-clevis-broker init /srv/second --store postgres://broker@db.example/broker --resource-key /safe/resource.key
            """)

    @OptionGroup var target: DirectoryArgument

    @Option(help: "Where guests reach this broker. It goes into every envelope.")
    var url = "https://127.0.0.1:8443"

    @Flag(help: "Make no TLS identity: the certificate will come from an authority that guests trust (serve --tls-cert).")
    var publicCA = false

    @Option(
        help: ArgumentHelp(
            "Make a replica of the broker whose keys the store has: its resource.key, which opens them. Before restore: that of the backup.",
            valueName: "file"))
    var resourceKey: String?

    func run() throws {
        let url: BrokerURL
        do throws(JSONError) {
            url = try BrokerURL(self.url)
        } catch {
            throw BrokerError("the URL \(self.url) \(error.problem)")
        }
        let description = try BrokerDirectory.create(
            at: target.dir, store: target.store, resourceKey: resourceKey, url: url, selfSigned: !publicCA,
            now: systemSeconds())
        print(
            """
            made a broker in \(target.dir)
              envelope key \(description.broker.thumbprint)
              TLS          \(description.tls.map { "self-made, pin \(Base64URL.encode($0))" } ?? "by certificate authorities")
            next:
              give \(target.directory.publicFile) to the owners, by a way that nobody can change it on
              cvm-clevis-broker owner add \(target.dir) NAME OWNER.jwk     for each owner's public key
              cvm-clevis-broker serve \(target.dir)\(publicCA ? " --tls-cert CHAIN.pem --tls-key KEY.pem" : "")
            """)
    }
}
