// SPDX-License-Identifier: Apache-2.0
internal import FileIO
internal import Glibc
internal import PinKit
internal import TEE

/// Where Linux shows the area of secrets, an entry a file (drivers/virt/coco/efi_secret). What is removed here is overwritten
/// in the area itself.
struct SecretDirectory {
    var path = "/sys/kernel/security/secrets/coco"

    /// Bytes of an entry. The area has 3072 in OVMF.
    static let maximumLength = 4096

    /// Takes only what the kernel makes: a regular file of root's that nobody can write to.
    func read(_ entry: SecretGUID) throws(PinError) -> SecretBytes {
        let name = "\(path)/\(entry)"
        // Neither following a link nor waiting for whoever holds the other end of a pipe.
        let file = unsafe open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard file >= 0 else { throw missing(entry, errno) }
        defer { close(file) }
        var status = stat()
        guard unsafe fstat(file, &status) == 0, status.st_mode == S_IFREG | 0o440, status.st_uid == 0 else {
            throw PinError(
                .refused, step: "read the secret",
                detail: "\(name) is no regular file of root's with mode 0440, as the kernel makes it")
        }
        do throws(FileError) {
            return try FileIO.readSecret(file, limit: Self.maximumLength, name: name)
        } catch {
            throw PinError(.failed, step: "read the secret", detail: error.description)
        }
    }

    /// Nothing to do where it is gone already.
    func remove(_ entry: SecretGUID) throws(PinError) {
        let name = "\(path)/\(entry)"
        guard unsafe unlink(name) != 0, errno != ENOENT else { return }
        let reason = unsafe String(cString: strerror(errno))
        throw PinError(.failed, step: "remove the secret", detail: "\(name): \(reason)")
    }

    private func missing(_ entry: SecretGUID, _ code: Int32) -> PinError {
        let detail: String
        if code != ENOENT {
            let reason = unsafe String(cString: strerror(code))
            detail = "\(path)/\(entry): \(reason)"
        } else if FileIO.exists(path) {
            detail = "no entry \(entry) in \(path): it was not put in at this launch, or has been used"
        } else {
            detail = "no \(path): not a guest with a secret, securityfs is not mounted, or the kernel lacks efi_secret"
        }
        return PinError(code == ENOENT ? .unavailable : .failed, step: "read the secret", detail: detail)
    }
}
