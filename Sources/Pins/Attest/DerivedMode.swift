// SPDX-License-Identifier: Apache-2.0
package import PinKit
package import TEE

/// Who derives keys: the firmware, or a test's own.
package protocol KeyDeriver: Sendable {
    /// A report of this guest's own, for what it is.
    func report(before deadline: Deadline) throws(PinError) -> SNPReport

    /// 32 bytes.
    func derivedKey(_ selection: DerivedKeySelection, before deadline: Deadline) throws(PinError) -> SecretBytes
}

/// The kernel's interfaces: derived keys come through `/dev/sev-guest` only.
package struct KernelDeriver: KeyDeriver {
    package init() {}

    package func report(before deadline: Deadline) throws(PinError) -> SNPReport {
        let data = try Random.bytes(64)
        let answer = try PlatformReporter(.sevGuest).report(over: data, before: deadline)
        do throws(EvidenceError) {
            return try SNPReport(parsing: answer.report)
        } catch {
            throw PinError(.failed, step: "attestation report", detail: error.description)
        }
    }

    package func derivedKey(_ selection: DerivedKeySelection, before deadline: Deadline) throws(PinError) -> SecretBytes {
        try SEVGuest().derivedKey(selection, before: deadline)
    }
}

/// Binds to this guest on this chip: works nowhere else, and asks nobody.
struct DerivedEncryptor: Encryptor {
    /// The firmware is slow, and the hypervisor may let it wait.
    private static let seconds = 120

    let terms: DerivedConfiguration
    let deriver: any KeyDeriver

    func encrypt(_ secret: borrowing SecretBytes) throws(PinError) -> JWE {
        let deadline = Deadline.after(seconds: Self.seconds)
        let parameters = DerivedParameters(
            try selection(before: deadline), salt: try Random.bytes(DerivedParameters.saltSize))
        let key = try deriver.derivedKey(parameters.selection, before: deadline)
        return try JWE.encrypt(secret, contentKey: parameters.contentKey(from: key), header: parameters.header)
    }

    /// The highest that the firmware takes, where nothing else is configured: firmware and guests that are older than this
    /// one never have the key.
    private func selection(before deadline: Deadline) throws(PinError) -> DerivedKeySelection {
        if let guestSVN = terms.guestSVN, let tcb = terms.tcb, let privilegeLevel = terms.privilegeLevel {
            return DerivedKeySelection(
                fields: terms.fields, privilegeLevel: privilegeLevel, guestSVN: guestSVN, tcb: tcb)
        }
        let report = try deriver.report(before: deadline)
        return DerivedKeySelection(
            fields: terms.fields, privilegeLevel: terms.privilegeLevel ?? UInt8(truncatingIfNeeded: report.vmpl),
            guestSVN: terms.guestSVN ?? report.guestSVN, tcb: terms.tcb ?? report.committedTCB)
    }
}

/// Opens messages of mode *derived*: one call of the firmware for each selection, however many messages have it.
struct DerivedOpener {
    private struct Request {
        let parameters: DerivedParameters
        let message: JWE
        let index: Int
    }

    let deriver: any KeyDeriver
    let deadline: Deadline

    /// Whether a message is of this mode, or claims to be of one that nobody knows.
    static func opens(_ message: JWE) -> Bool {
        message.parameters?["mode"] != nil && !ResourceParameters.are(in: message)
    }

    /// Calls `deliver` once for each of `messages`, which come with their index.
    func open(_ messages: [(index: Int, message: JWE)], _ deliver: (Int, consuming Recovered) -> Void) {
        var waiting: [Request] = []
        for (index, message) in messages {
            do throws(PinError) {
                waiting.append(Request(parameters: try DerivedParameters(message), message: message, index: index))
            } catch {
                deliver(index, .failure(error))
            }
        }
        while let selection = waiting.first?.parameters.selection {
            open(waiting.filter { $0.parameters.selection == selection }, selection, deliver)
            waiting.removeAll { $0.parameters.selection == selection }
        }
    }

    private func open(
        _ requests: [Request], _ selection: DerivedKeySelection, _ deliver: (Int, consuming Recovered) -> Void
    ) {
        do throws(PinError) {
            let key = try deriver.derivedKey(selection, before: deadline)
            for request in requests {
                let recovered = Recovered { () throws(PinError) in
                    try request.message.decrypt(contentKey: request.parameters.contentKey(from: key))
                }
                deliver(request.index, recovered)
            }
        } catch {
            for request in requests { deliver(request.index, .failure(error)) }
        }
    }
}
