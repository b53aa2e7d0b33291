// SPDX-License-Identifier: Apache-2.0
import FileIO
import Glibc
import PinKit

/// The names under which stock clevis looks for a pin's two programs. A link to this program by such a name is one:
/// `ln -s cvm-clevis /usr/bin/clevis-decrypt-snp-attest` (docs/spec/pins.md §1.1).
enum ClevisName {
    case encrypt(pin: String)
    case decrypt(pin: String)

    /// nil where the program goes by another name.
    init?(of program: String) {
        let name = program.split(separator: "/").last.map(String.init) ?? program
        if let pin = name.suffix(after: "clevis-encrypt-") {
            self = .encrypt(pin: pin)
        } else if let pin = name.suffix(after: "clevis-decrypt-") {
            self = .decrypt(pin: pin)
        } else {
            return nil
        }
    }

    /// Does what clevis expects of the program, and gives the exit status where it is not 0 by an error.
    func run(_ arguments: [String]) throws -> Int32 {
        switch self {
        case .encrypt where arguments.first == "--summary":
            Console.answer("Encrypts using cvm-clevis")
            return 0
        case .decrypt where arguments.first == "--summary":
            return 1
        case .encrypt(let pin):
            guard let configuration = arguments.first, isatty(0) == 0 else {
                return usage("clevis-encrypt-\(pin) CONFIG [-y] <PLAINTEXT >JWE")
            }
            let trustingTang = arguments.dropFirst().contains("-y")
            let message = try Encrypt.encrypt(to: pin, Input.configuration(configuration), trustingTang: trustingTang)
            try FileIO.write(1, message.compact)
        case .decrypt(let pin):
            guard arguments.isEmpty, isatty(0) == 0 else { return usage("clevis-decrypt-\(pin) <JWE >PLAINTEXT") }
            try Decrypt.decrypt(madeBy: pin)
        }
        return 0
    }

    private func usage(_ text: String) -> Int32 {
        Console.say("Usage: \(text)")
        return 2
    }
}

extension String {
    fileprivate func suffix(after prefix: String) -> String? {
        hasPrefix(prefix) && count > prefix.count ? String(dropFirst(prefix.count)) : nil
    }
}
