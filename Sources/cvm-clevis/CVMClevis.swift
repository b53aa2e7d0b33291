// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import ExternalPin
import Glibc
import LUKS
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
        subcommands: [
            Init.self, BootConfigCommand.self, Doctor.self, Luks.self, Encrypt.self, Decrypt.self, EvidenceCommand.self,
            PolicyCommand.self, RefValues.self, BrokerCommand.self, Trust.self, Measure.self, IDBlockCommand.self,
            SEVSecret.self,
        ])

    static func main() {
        // A reader that goes away ends a write with EPIPE, which is reported, instead of ending the program silently.
        _ = signal(SIGPIPE, SIG_IGN)
        // A libssl that was built so would write the session keys of its connections wherever this says.
        unsafe unsetenv("SSLKEYLOGFILE")
        do {
            if try runPlain(CommandLine.arguments.dropFirst()) { end(0) }
            if let name = ClevisName(of: CommandLine.arguments.first ?? "") {
                end(try name.run(Array(CommandLine.arguments.dropFirst())))
            }
            var command = try leaf(of: CommandLine.arguments.dropFirst()) ?? parseAsRoot()
            try command.run()
            end(0)
        } catch {
            end(Console.report(error))
        }
    }

    /// Runs a command as other programs call it, often and while somebody waits, and in no other spelling: to have its
    /// arguments read by ArgumentParser takes longer than to do it. False where it is none of these.
    private static func runPlain(_ arguments: ArraySlice<String>) throws -> Bool {
        if arguments == ["decrypt"] {
            try Decrypt.decrypt()
        } else if arguments.count == 4, arguments.starts(with: ["luks", "list", "-d"]), let device = arguments.last,
            !device.hasPrefix("-")
        {
            try List.list(Volume(device))
        } else {
            return false
        }
        return true
    }

    /// The command that `arguments` name, read without making all others first, which takes as long as most commands do. nil
    /// where anything is amiss or asked about: then the whole tree is there to say what, with the right names.
    private static func leaf(of arguments: ArraySlice<String>) -> (any ParsableCommand)? {
        var command: any ParsableCommand.Type = CVMClevis.self
        var rest = arguments
        while let name = rest.first,
            let named = command.configuration.subcommands.first(where: { $0.givenName == name })
        {
            command = named
            rest = rest.dropFirst()
        }
        guard command.configuration.subcommands.isEmpty else { return nil }
        // Asked for help it makes another command of it, which knows no names but its own.
        guard let made = try? command.parseAsRoot(Array(rest)), type(of: made) == command else { return nil }
        return made
    }

    /// Ends without what libraries do when a program exits: nothing is buffered, the kernel takes all memory back anyway, and
    /// a thread may still wait for a server that was not needed.
    private static func end(_ status: Int32) -> Never {
        RunningGroups.end()
        Terminal.showTyping()
        _exit(status)
    }
}

extension ParsableCommand {
    /// The name that its configuration says. ArgumentParser would make one from the type's where it says none, for which it
    /// translates a regular expression, every time: a twelfth of a command.
    fileprivate static var givenName: String { configuration.commandName ?? "\(Self.self)".lowercased() }
}
