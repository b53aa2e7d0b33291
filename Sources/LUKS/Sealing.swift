// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// A new passphrase and the token with the message for it, in the making on a thread of its own: pins wait for servers and for
/// TPMs, and to open a volume takes about as long.
struct Sealing {
    /// What is sealed, complete but for keyslot and signature, and whether its policy gave the passphrase back.
    struct Sealed: ~Copyable {
        let secret: SecretBytes
        let token: ClevisToken
        let wasOpened: Bool
    }

    private typealias Message = Result<(token: ClevisToken, wasOpened: Bool), LUKSError>

    private let secret = Outcome()
    private let message = Mailbox<Message>()

    /// To be waited for by ``finish()``, whatever happens meanwhile: a TPM keeps what a command that is left alone has loaded.
    init(_ new: NewBinding, for volume: Volume) {
        let (secret, message) = (secret, message)
        let work = { @Sendable in
            message.post(
                Message { () throws(LUKSError) in
                    let passphrase = try Volume.makePassphrase()
                    let sealed = try volume.seal(passphrase, new)
                    secret.set(.secret(passphrase))
                    return sealed
                })
        }
        if !startWorker(work) { work() }
    }

    /// Pins have deadlines of their own, and persons who are asked for a PIN have none.
    func finish() throws(LUKSError) -> Sealed {
        while true {
            guard let result = message.next(before: .after(seconds: 3600)) else { continue }
            let (token, wasOpened) = try result.get()
            do throws(PinError) {
                return Sealed(secret: try secret.take(), token: token, wasOpened: wasOpened)
            } catch {
                throw LUKSError(error)
            }
        }
    }
}
