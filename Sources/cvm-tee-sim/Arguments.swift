// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import PinKit
import TEE

/// Bytes in hexadecimal.
struct Bytes: ExpressibleByArgument {
    let value: [UInt8]

    init?(argument: String) {
        guard let value = Hex.decode(argument) else { return nil }
        self.value = value
    }
}

/// A number in hexadecimal, with or without 0x.
struct Number: ExpressibleByArgument {
    let value: UInt64

    init?(argument: String) {
        guard let value = UInt64(argument.hasPrefix("0x") ? String(argument.dropFirst(2)) : argument, radix: 16) else {
            return nil
        }
        self.value = value
    }
}

/// Which platform is pretended.
enum TEEName: String, ExpressibleByArgument, CaseIterable {
    case snp, tdx, sev, none
}

/// A platform that has evidence.
enum AttestedTEE: String, ExpressibleByArgument, CaseIterable {
    case snp, tdx
}

/// A secret by its entry's name and a file.
struct SecretArgument: ExpressibleByArgument {
    let guid: SecretGUID
    let file: String

    init?(argument: String) {
        let parts = argument.split(separator: ":", maxSplits: 1)
        guard parts.count == 2, let guid = SecretGUID(parts[0]) else { return nil }
        self.guid = guid
        self.file = String(parts[1])
    }
}
