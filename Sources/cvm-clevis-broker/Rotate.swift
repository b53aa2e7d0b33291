// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Broker

struct Rotate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a new key that all replicas share, while what earlier ones made stays good.",
        discussion: """
            envelope: owners bind to the new key from now on, with the new public.json; bindings to earlier keys go on opening until
            those are retired. token, cookie, nonce: the new key is used from 15 seconds later on, when every replica knows it, and what
            was made with the old one is good until it is over. tls: the new key is announced in public.json, and bindings pin both from now
            on; --retire of the current one, when all do, lets the new one take over. Guests and what serves need nothing.

            --retire makes no key, but forgets one, for good: what was made with it, or pins it alone, is lost.

            Example:
              cvm-clevis-broker rotate cookie /srv/broker
              cvm-clevis-broker rotate envelope /srv/broker
              cvm-clevis-broker rotate envelope /srv/broker --retire THUMBPRINT
            """)

    @Argument(help: "Which key.") var key: Name
    @OptionGroup var target: DirectoryArgument
    @Option(help: ArgumentHelp("Forget this key, see keys list.", valueName: "id")) var retire: Selector?

    func run() throws {
        let now = systemSeconds()
        if let retire {
            try target.directory.retire(key.purpose, retire.text, now: now)
            return print("\(key.purpose.rawValue) key \(retire.text) is forgotten")
        }
        let made = try target.directory.rotate(key.purpose, now: now)
        print("made \(key.purpose.rawValue) key \(made.id), \(since(made))")
        guard key.purpose == .envelope || key.purpose == .tls else { return }
        print("give the new \(target.directory.publicFile) to the owners, by a way that nobody can change it on")
    }

    private func since(_ key: KeyDescription) -> String {
        if key.purpose == .tls { return "served when the current one is retired" }
        return key.state == .next ? "used from \(timestamp(key.activeAt)) on" : "current from now on"
    }

    struct Name: ExpressibleByArgument {
        static let allValueStrings = KeyPurpose.allCases.map(\.rawValue)

        let purpose: KeyPurpose

        init?(argument: String) {
            guard let purpose = KeyPurpose(rawValue: argument) else { return nil }
            self.purpose = purpose
        }
    }
}
