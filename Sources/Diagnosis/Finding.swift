// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol
package import PinKit

/// One thing that was looked at: whether it will do at the next boot, and what to do where it will not.
package struct Finding: Sendable, Equatable {
    package enum Severity: String, Sendable {
        case ok
        /// It will do, but not for ever, or not as well as it should.
        case warning
        /// It will not do. Whether the volume opens all the same, by another pin or binding, is another finding.
        case fails
    }

    package private(set) var severity: Severity
    /// For machines; never changes its meaning (docs/spec/check.md, docs/spec/doctor.md).
    package let code: Code
    /// What was looked at: `header`, `keyslot 0`, `token 1`, `token 1: sss[0].tang`; the volume itself where it is empty.
    package private(set) var place: String
    package let text: String
    /// What to do next; nil where nothing needs doing.
    package let remedy: String?

    /// `text` may hold what a disk or a peer says: one line is made of it.
    init(_ severity: Severity, _ code: Code, at place: String = "", _ text: String, remedy: String? = nil) {
        (self.severity, self.code, self.place, self.remedy) = (severity, code, place, remedy)
        self.text = printable(text)
    }

    /// The same finding at `place`.
    func at(_ place: String) -> Finding {
        var finding = self
        finding.place = printable(place, limit: 200)
        return finding
    }

    /// The same finding, no worse than `severity`.
    func atMost(_ severity: Severity) -> Finding {
        var finding = self
        if finding.severity == .fails { finding.severity = severity }
        return finding
    }

    package enum Code: String, Sendable, CaseIterable {
        case boots, header, volume, keyslot, binding
        case unreadableToken = "unreadable-token"
        case orphanedToken = "orphaned-token"
        case untrusted, unsigned, unchecked, unconditional, weaker
        case pin
        case unknownPin = "unknown-pin"
        case externalPin = "external-pin"
        case unreachable, refused
        case rotatedKeys = "rotated-keys"
        case tpm, policy
        // Of a coming boot (docs/spec/doctor.md).
        case bootConfig = "boot-config"
        case device, initrd, front, crypttab, unit, program, library, module, kernel, network
        case commandLine = "command-line"
        case systemd, machine, shell
    }
}

extension Finding {
    package var json: JSON {
        var members: JSONObject = [
            "severity": .string(severity.rawValue), "code": .string(code.rawValue), "place": .string(place),
            "text": .string(text),
        ]
        members["next"] = remedy.map { .string($0) }
        return .object(members)
    }
}

/// `fails    token 0: sss[0].tang: no answer; next: start the server`
extension Finding: CustomStringConvertible {
    package var description: String {
        let severity = severity.rawValue + String(repeating: " ", count: 9 - severity.rawValue.utf8.count)
        let place = place.isEmpty ? "" : "\(place): "
        return severity + place + text + (remedy.map { "; next: \($0)" } ?? "")
    }
}
