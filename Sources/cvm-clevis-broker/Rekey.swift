// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Broker

struct Rekey: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Seal all keys and resources in the store with a new resource key.",
        discussion: """
            What serves from DIR goes on. Other replicas need the new resource.key, by a way that nobody can read it on: until then they
            go on with the keys that they know, give out no resource and do not start. Backups of before open with the old one only:
            keep it as long as them. An interrupted run is begun again.

            Example:
              cvm-clevis-broker rekey /srv/broker
            """)

    @OptionGroup var target: DirectoryArgument

    func run() throws {
        let done = try target.directory.rekey(now: systemSeconds())
        print("sealed \(done.resources) resources and \(done.keys) keys anew: copy resource.key to the other replicas")
    }
}
