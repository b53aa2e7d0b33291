// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// A pin that is somebody else's pair of programs. What they write is taken for what they say it is, within limits: the
/// time, the size, and that a message names this pin.
///
/// `.unavailable` at the deadline and where a program is missing; `.failed` when one ends in another way than with status 0,
/// with the last line of its standard error, or answers what cannot be an answer.
public struct ExternalPin: Pin {
    /// Bytes of a secret that a program gives back.
    public static let maximumSecret = 64 << 10

    public let name: String
    let encrypt: PinProgram?
    let decrypt: PinProgram?
    let encryptTimeout: Int

    /// The configuration goes to the program as it is: only the program knows what it means.
    public func encryptor(for configuration: JSON, in binding: Binding) throws(PinError) -> any Encryptor {
        guard let encrypt else { throw missing("clevis-encrypt-\(name)") }
        return ExternalEncryptor(
            pin: name, program: encrypt, configuration: configuration.canonical, timeout: encryptTimeout)
    }

    public func decrypt(_ message: JWE, in run: Run) throws(PinError) -> SecretBytes {
        guard let decrypt else { throw missing("clevis-decrypt-\(name)") }
        let text = SecretBytes(copyingPublic: Array(message.compact.utf8))
        let secret = try decrypt.run([], input: text, limit: ExternalPin.maximumSecret, before: run.deadline)
        guard !secret.isEmpty else { throw PinError(.failed, step: decrypt.name, detail: "ended well, but gave no secret") }
        return secret
    }

    private func missing(_ program: String) -> PinError {
        PinError(.unavailable, step: program, detail: "is not in PATH, though its counterpart is")
    }
}

private struct ExternalEncryptor: Encryptor {
    let pin: String
    let program: PinProgram
    let configuration: String
    let timeout: Int

    func encrypt(_ secret: borrowing SecretBytes) throws(PinError) -> JWE {
        let answer = try program.run(
            [configuration], input: secret, limit: JWE.maximumLength, before: .after(seconds: timeout))
        let message: JWE
        do throws(PinError) {
            message = try JWE(compact: unsafe answer.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) })
        } catch {
            throw PinError(.failed, step: program.name, detail: "what it wrote is no message: \(error.detail)")
        }
        guard message.pin == pin else {
            let other = message.pin.map { Diagnostic.printable($0.utf8.prefix(64)) } ?? "nobody"
            throw PinError(.failed, step: program.name, detail: "its message is one of pin \(other), not \(pin)")
        }
        return message
    }
}
