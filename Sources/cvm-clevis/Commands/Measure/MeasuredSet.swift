// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Attestation
import PinKit

/// Values as a set for 'refvalues sign'.
struct SetOptions: ParsableArguments {
    @Option(
        name: .customLong("set"), help: ArgumentHelp("Answer with a set for 'refvalues sign'.", valueName: "name:version"))
    var name: SetName?

    @Option(help: "With --set: it expires after so many days.")
    var days: Int64 = 90

    func validate() throws {
        guard 1...3660 ~= days else { throw ValidationError("--days must be 1 to 3660") }
    }

    /// nil without --set. `values`: 48 bytes each, by their members' names, for `platform`.
    func answer(_ values: [(name: String, value: [UInt8])], of platform: String, covers: [String]) throws -> JSON? {
        guard let name else { return nil }
        let now = try EvidenceInput.moment(nil)
        var measured: JSONObject = [:]
        for member in values { measured[member.name] = [.string(Base64URL.encode(member.value))] }
        let set: JSON = [
            "covers": .array(covers.map { .string($0) }), "exp": .integer(now + days * 86_400), "iat": .integer(now),
            "name": .string(name.name), platform: .object(measured), "version": .integer(name.version),
        ]
        return try ReferenceSet(json: set).json
    }
}

/// `NAME:VERSION`
struct SetName: ExpressibleByArgument {
    let name: String
    let version: Int64

    init?(argument: String) {
        let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, let version = Int64(parts[1]), version > 0 else { return nil }
        (name, self.version) = (String(parts[0]), version)
    }
}
