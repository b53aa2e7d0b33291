// SPDX-License-Identifier: Apache-2.0
import PinKit

/// The arguments, read by hand: a parser library would double the size of what an initrd carries.
struct Arguments {
    static let usage = """
        Usage: cvm-clevis-unlock [--boot-config FILE] [--device NAME=PATH]... [--test] [--timeout SECONDS]

        Opens the volumes that boot.json names, all at once, and says in one line for each what opened it or why it stayed
        closed. It trusts nothing but boot.json: neither the disks nor the network nor its environment.

          --boot-config FILE   what is trusted (default /etc/cvm-clevis/boot.json)
          --device NAME=PATH   where the volume NAME is (default /dev/disk/by-uuid/UUID)
          --test               recover the keys and check that they open the volumes, but map nothing
          --timeout SECONDS    give up after that long (default 60)
          --help, --version

        Exit status: 0 every volume is open, 1 one is not, 2 wrong usage.

        Example: cvm-clevis-unlock --device root=disk.img --test

        """

    var bootConfiguration = "/etc/cvm-clevis/boot.json"
    var devices: [(name: String, path: String)] = []
    var isTest = false
    var timeout = 60

    enum Outcome {
        case run(Arguments)
        case answer(String)
        case wrong(String)
    }

    static func parse(_ words: some Sequence<String>) -> Outcome {
        var arguments = Arguments()
        var words = words.makeIterator()
        while let word = words.next() {
            switch word {
            case "--help", "-h": return .answer(usage)
            case "--version": return .answer("\(programVersion)\n")
            case "--test", "-t": arguments.isTest = true
            case "--boot-config", "--device", "--timeout":
                guard let value = words.next(), arguments.set(word, to: value) else {
                    return .wrong("\(word) needs a value")
                }
            default: return .wrong("unknown argument \(word)")
            }
        }
        return .run(arguments)
    }

    private mutating func set(_ option: String, to value: String) -> Bool {
        switch option {
        case "--boot-config":
            bootConfiguration = value
        case "--device":
            let parts = value.split(separator: "=", maxSplits: 1)
            guard parts.count == 2 else { return false }
            devices.append((name: String(parts[0]), path: String(parts[1])))
        default:
            guard let seconds = Int(value), (1...86_400).contains(seconds) else { return false }
            timeout = seconds
        }
        return true
    }
}
