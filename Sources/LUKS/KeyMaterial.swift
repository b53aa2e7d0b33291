// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL
internal import PinKit

/// The key material of a keyslot that was made here, as it stands on the disk.
///
/// It is opened by other code than has written it, in a quarter of the time, and what it gives is held beside the volume key
/// itself. Only for seeing what was written: what others made is opened by libcryptsetup.
struct KeyMaterial {
    private let salt: [UInt8]
    private let iterations: Int32
    private let area: [UInt8]

    /// nil where `keyslot` is not as ``CryptDevice/addKeyslot(_:for:token:volumeKey:)`` makes them.
    init?(of keyslot: Header.Keyslot, on volume: borrowing VolumeFile) throws(LUKSError) {
        let (kdf, size) = (keyslot.kdf, CVM_LUKS_KEY * CVM_LUKS_STRIPES)
        guard kdf["type"] == "pbkdf2", kdf["hash"] == "sha256", keyslot.af["hash"] == "sha256",
            let iterations = kdf["iterations"]?.integer.flatMap({ Int32(exactly: $0) }),
            let salt = kdf["salt"]?.string.flatMap({ Base64.decode($0) }), size <= keyslot.range.count
        else { return nil }
        let area = try volume.read(size, at: keyslot.range.lowerBound)
        guard area.count == size else { return nil }
        self.salt = salt
        self.iterations = iterations
        self.area = area
    }

    /// Whether `passphrase` gives `volumeKey`.
    func gives(_ volumeKey: borrowing SecretBytes, for passphrase: borrowing SecretBytes) -> Bool {
        var done: Int32 = 0
        let key = unsafe SecretBytes(count: CVM_LUKS_KEY) { key in
            let start = unsafe key.baseAddress?.assumingMemoryBound(to: UInt8.self)
            done = unsafe passphrase.withUnsafeBytes { bytes in
                unsafe cvm_luks_key(bytes.baseAddress, bytes.count, salt, salt.count, iterations, area, start)
            }
        }
        return done == 1 && key.equals(volumeKey)
    }
}
