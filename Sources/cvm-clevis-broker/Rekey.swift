// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Broker

struct Rekey: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Seal all resources with a new resource key.",
        discussion: """
            Start the broker again afterwards; until then it gives out no resource. Copy the new resource.key to the other replicas
            first. An interrupted run is begun again.

            Example:
              cvm-clevis-broker rekey /srv/broker
            """)

    @OptionGroup var target: DirectoryArgument

    func run() throws {
        let count = try target.directory.rekey()
        print("sealed \(count) resources anew: start the broker again")
    }
}
