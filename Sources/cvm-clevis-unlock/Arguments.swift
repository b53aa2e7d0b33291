// SPDX-License-Identifier: Apache-2.0
import PinKit

/// The arguments, read by hand: a parser library would double the size of what an initrd carries.
struct Arguments {
    static let usage = """
        Usage: cvm-clevis-unlock [VERB] [--boot-config FILE] [--device NAME=PATH]... [--test] [--act] [--timeout SECONDS]

        Opens the volumes that boot.json names, all at once, and says in one line for each what opened it or why it stayed
        closed. It trusts nothing but boot.json: neither the disks nor the network nor its environment.

        Verbs, for the units of an initrd (docs/spec/boot.md); without one it opens the volumes itself:
          headers              write validated copies of the headers to /run/cvm-clevis
          serve                answer systemd-cryptsetup on the key socket it was started with
          agent                answer the passphrase prompts of systemd-cryptsetup
          key                  answer the token plugin: a request on standard input, the key on standard output
          volumes              say what an initrd has to bring: NAME UUID ON_FAILURE PIN,… of each volume, a line each
          crypttab             write the lines of an initrd's crypttab, for the front that --front names
          act [NAME]           do what boot.json says of the volume NAME, or of all, that stayed closed

          --boot-config FILE   what is trusted (default /etc/cvm-clevis/boot.json)
          --device NAME=PATH   where the volume NAME is (default /dev/disk/by-uuid/UUID)
          --test               recover the keys and check that they open the volumes, but map nothing
          --act                in an initrd, switch the machine off where boot.json says so (on_failure)
          --front FRONT        socket (default), agent or plugin
          --timeout SECONDS    give up after that long (default 60; serve: 120)
          --help, --version

        Exit status: 0 done, 1 a volume stayed closed, 2 wrong usage, 3 the same, but another attempt may open it (without a verb,
        and key); key: also 4 needs a PIN.

        Example: cvm-clevis-unlock --device root=disk.img --test

        """

    enum Verb: String {
        case open, headers, serve, agent, key, volumes, crypttab, act
    }

    var verb = Verb.open
    /// Of `act`.
    var volume: String?
    var bootConfiguration = "/etc/cvm-clevis/boot.json"
    var devices: [(name: String, path: String)] = []
    var front = CrypttabLine.Front.socket
    var isTest = false
    var isActing = false
    private var seconds: Int?

    var timeout: Int { seconds ?? (verb == .serve ? 120 : 60) }

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
            case "--act": arguments.isActing = true
            case "--boot-config", "--device", "--front", "--timeout":
                guard let value = words.next(), arguments.set(word, to: value) else {
                    return .wrong("\(word) needs a value")
                }
            default:
                guard arguments.take(word) else { return .wrong("unknown argument \(word)") }
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
        case "--front":
            guard let front = CrypttabLine.Front(rawValue: value) else { return false }
            self.front = front
        default:
            guard let number = Int(value), (1...86_400).contains(number) else { return false }
            seconds = number
        }
        return true
    }

    private mutating func take(_ word: String) -> Bool {
        if verb == .act, volume == nil, !word.hasPrefix("-") {
            volume = word
            return true
        }
        guard verb == .open, let verb = Verb(rawValue: word), verb != .open else { return false }
        self.verb = verb
        return true
    }
}
