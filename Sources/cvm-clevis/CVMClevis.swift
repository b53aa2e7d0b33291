// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import ExternalPin
import Glibc
import PinKit

/// The command line: reads arguments, calls the libraries, prints. What a command means is in the libraries.
@main
struct CVMClevis: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cvm-clevis",
        abstract: "Unlock the disks of confidential VMs under conditions: pins, policies of pins, LUKS2 bindings.",
        discussion: """
            Exit status: 0 done, 1 failed (one line says why), 2 wrong usage.

            Example, on the owner's machine:
              cvm-clevis init --broker public.json --policy policy.json
              cvm-clevis luks bind -d disk.img -p snp-attest
            """,
        version: programVersion,
        subcommands: [Init.self, BootConfigCommand.self, Luks.self, Encrypt.self, Decrypt.self, Trust.self])

    static func main() {
        // A reader that goes away ends a write with EPIPE, which is reported, instead of ending the program silently.
        _ = signal(SIGPIPE, SIG_IGN)
        // libcurl would write the session keys of its connections wherever this says.
        unsafe unsetenv("SSLKEYLOGFILE")
        do {
            // The one command that others wait for while they boot: reading its arguments takes longer than reading its input.
            // And at the end nothing is buffered: what libraries free when a program exits, the kernel takes back anyway, and
            // a thread may still wait for a server that was not needed.
            if CommandLine.arguments.dropFirst() == ["decrypt"] {
                try Decrypt.decrypt()
                RunningGroups.end()
                Terminal.showTyping()
                _exit(0)
            }
            if let name = ClevisName(of: CommandLine.arguments.first ?? "") {
                _exit(try name.run(Array(CommandLine.arguments.dropFirst())))
            }
            var command = try parseAsRoot()
            try command.run()
            _exit(0)
        } catch {
            _exit(Console.report(error))
        }
    }
}
