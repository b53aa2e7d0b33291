// SPDX-License-Identifier: Apache-2.0
internal import CCryptsetup
internal import Glibc
internal import PinKit

/// One `struct crypt_device` with a LUKS2 header loaded: the only place that calls libcryptsetup.
///
/// What libcryptsetup would print is kept for the error instead. It never loads a token plugin: none is needed here, and the
/// header must not choose which library runs.
@safe struct CryptDevice: ~Copyable {
    private let device: OpaquePointer
    private let log: MessageLog
    /// The volume, for messages.
    private let place: String
    /// What has to live as long as the path of the header is good.
    private let backing: (any Sendable & AnyObject)?

    /// Loads the header from `header`, which libcryptsetup opens again for each operation; `data` is where the data lie, if
    /// elsewhere and if they are wanted.
    init(
        header: String, data: String? = nil, place: String, backing: (any Sendable & AnyObject)? = nil
    ) throws(LUKSError) {
        _ = CryptDevice.library
        var handle: OpaquePointer?
        let log = MessageLog()
        let opened = unsafe crypt_init_data_device(&handle, header, data)
        guard opened == 0, let device = unsafe handle else {
            throw LUKSError(.unreadable, place: place, step: "open", detail: reason(-opened))
        }
        unsafe crypt_set_log_callback(device, MessageLog.receive, log.user)
        let loaded = unsafe crypt_load(device, "LUKS2", nil)
        guard loaded == 0 else {
            unsafe crypt_free(device)
            throw LUKSError(
                .malformed, place: place, step: "read the header",
                detail: log.take() ?? "\(reason(-loaded)): both copies are damaged, or break the rules of LUKS2")
        }
        unsafe self.device = device
        self.log = log
        self.place = place
        self.backing = backing
    }

    deinit { unsafe crypt_free(device) }

    private static let library: Void = {
        crypt_token_external_disable()
        unsafe crypt_set_log_callback(nil, { _, _, _ in }, nil)
        let status = cvm_register_token_handlers()
        precondition(status == 0, "somebody else in this process handles our tokens")
    }()

    /// As in the binary header.
    var uuid: String { unsafe crypt_get_uuid(device).map { unsafe String(cString: $0) } ?? "" }

    /// The whole metadata as libcryptsetup has them in memory.
    func metadata() throws(LUKSError) -> JSON {
        var text: UnsafePointer<CChar>?
        try check(unsafe crypt_dump_json(device, &text, 0), "read the header")
        do {
            return try JSON(
                parsing: unsafe text.map { unsafe String(cString: $0) } ?? "", limit: 2 * BinaryHeader.maximumAreaSize)
        } catch {
            throw LUKSError(.malformed, place: place, step: "read the header", detail: error.description)
        }
    }

    private func check(_ status: Int32, _ step: String) throws(LUKSError) {
        _ = try value(status, step)
    }

    /// `status` where it is a number of something; what libcryptsetup said where it is -errno.
    private func value(_ status: Int32, _ step: String) throws(LUKSError) -> Int {
        let message = log.take()
        guard status < 0 else { return Int(status) }
        let code: LUKSError.Code = status == -ENOSPC ? .noRoom : .failed
        throw LUKSError(code, place: place, step: step, detail: message ?? reason(-status))
    }
}

// MARK: - Opening

extension CryptDevice {
    /// Whether `passphrase` opens `keyslot`; activates nothing.
    func opens(_ keyslot: Int, with passphrase: borrowing SecretBytes) throws(LUKSError) -> Bool {
        let status = activate(as: nil, keyslot, passphrase)
        if status == -EPERM || status == -ENOENT {
            _ = log.take()
            return false
        }
        try check(status, "open keyslot \(keyslot)")
        return true
    }

    /// Makes `/dev/mapper/NAME`.
    func activate(as name: String, _ keyslot: Int, with passphrase: borrowing SecretBytes) throws(LUKSError) {
        try check(activate(as: name, keyslot, passphrase), "activate as \(name)")
    }

    private func activate(as name: String?, _ keyslot: Int, _ passphrase: borrowing SecretBytes) -> Int32 {
        unsafe passphrase.withUnsafeBytes { bytes in
            let start = unsafe bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            return unsafe crypt_activate_by_passphrase(device, name, Int32(keyslot), start, bytes.count, 0)
        }
    }

    /// The volume key, from `keyslot`, or any that `passphrase` opens.
    func volumeKey(_ keyslot: Int? = nil, with passphrase: borrowing SecretBytes) throws(LUKSError) -> SecretBytes {
        let slot = keyslot.map(Int32.init) ?? CRYPT_ANY_SLOT
        var count = Int(unsafe crypt_get_volume_key_size(device))
        var status: Int32 = 0
        let key = unsafe SecretBytes(count: max(0, count)) { key in
            unsafe passphrase.withUnsafeBytes { bytes in
                let start = unsafe bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
                status = unsafe crypt_volume_key_get(
                    device, slot, key.baseAddress?.assumingMemoryBound(to: CChar.self), &count, start, bytes.count)
            }
        }
        if status == -EPERM || status == -ENOENT {
            _ = log.take()
            throw LUKSError(.wrongPassphrase, place: place, detail: "it opens no keyslot of this volume")
        }
        try check(status, "open a keyslot")
        return key
    }

    /// The volume key through a token that libcryptsetup itself can open: no plugin is loaded.
    func volumeKey(openedBy token: Int) throws(LUKSError) -> SecretBytes {
        var context: OpaquePointer?
        defer { unsafe crypt_keyslot_context_free(context) }
        let step = "open token \(token)"
        try check(unsafe crypt_keyslot_context_init_by_token(device, Int32(token), nil, nil, 0, nil, &context), step)
        var count = Int(unsafe crypt_get_volume_key_size(device))
        var status: Int32 = 0
        let key = unsafe SecretBytes(count: max(0, count)) { key in
            status = unsafe crypt_volume_key_get_by_keyslot_context(
                device, CRYPT_ANY_SLOT, key.baseAddress?.assumingMemoryBound(to: CChar.self), &count, context)
        }
        try check(status, step)
        return key
    }
}

// MARK: - Writing

extension CryptDevice {
    /// Writes `token` at `id`, or at the first free place; one header write. Returns where.
    func write(_ token: JSON, at id: Int? = nil) throws(LUKSError) -> Int {
        try value(
            unsafe crypt_token_json_set(device, id.map(Int32.init) ?? CRYPT_ANY_TOKEN, token.canonical), "write the token")
    }

    func removeToken(_ id: Int) throws(LUKSError) {
        try check(unsafe crypt_token_json_set(device, Int32(id), nil), "remove token \(id)")
    }

    /// Adds a keyslot that `passphrase` opens, at `wanted` or at the first free place, and assigns it to `token`; both reach
    /// the disk in one header write, after the key material. Returns its number.
    ///
    /// PBKDF2 with 1000 iterations: the passphrase has 320 bits, and an initrd has no memory to spare.
    func addKeyslot(
        _ wanted: Int?, for passphrase: borrowing SecretBytes, token: Int, volumeKey: borrowing SecretBytes
    ) throws(LUKSError) -> Int {
        try useFastKeyDerivation()
        let target = wanted.map(Int32.init) ?? CRYPT_ANY_SLOT
        var existing, new: OpaquePointer?
        defer {
            unsafe crypt_keyslot_context_free(existing)
            unsafe crypt_keyslot_context_free(new)
        }
        let status = unsafe volumeKey.withUnsafeBytes { key in
            unsafe passphrase.withUnsafeBytes { bytes in
                var user = unsafe cvm_passphrase(bytes: bytes.baseAddress, count: bytes.count)
                return unsafe withUnsafeMutablePointer(to: &user) { user -> Int32 in
                    let start = unsafe key.baseAddress?.assumingMemoryBound(to: CChar.self)
                    let status = unsafe crypt_keyslot_context_init_by_volume_key(device, start, key.count, &existing)
                    guard status == 0 else { return status }
                    let ready = unsafe crypt_keyslot_context_init_by_token(device, Int32(token), nil, nil, 0, user, &new)
                    guard ready == 0 else { return ready }
                    return unsafe crypt_keyslot_add_by_keyslot_context(
                        device, CRYPT_ANY_SLOT, existing, target, new, 0)
                }
            }
        }
        return try value(status, "add a keyslot")
    }

    /// Wipes the keyslot's key material, then takes it out of the header, digests and tokens.
    func removeKeyslot(_ keyslot: Int) throws(LUKSError) {
        try check(unsafe crypt_keyslot_destroy(device, Int32(keyslot)), "remove keyslot \(keyslot)")
    }

    private func useFastKeyDerivation() throws(LUKSError) {
        let status = unsafe "pbkdf2".withCString { type in
            unsafe "sha256".withCString { hash in
                var derivation = unsafe crypt_pbkdf_type(
                    type: type, hash: hash, time_ms: 0, iterations: 1000, max_memory_kb: 0, parallel_threads: 0,
                    flags: cvm_no_benchmark)
                return unsafe crypt_set_pbkdf_type(device, &derivation)
            }
        }
        try check(status, "choose the key derivation")
        try check(
            unsafe crypt_keyslot_set_encryption(device, HeaderLimits.cipher, HeaderLimits.keySize), "choose the cipher")
    }
}

/// The first error that libcryptsetup reported since somebody last asked.
private final class MessageLog: @unchecked Sendable {
    private var message: String?

    var user: UnsafeMutableRawPointer { unsafe Unmanaged.passUnretained(self).toOpaque() }

    static let receive: @convention(c) (Int32, UnsafePointer<CChar>?, UnsafeMutableRawPointer?) -> Void = {
        level, text, user in
        guard level == CRYPT_LOG_ERROR, let text = unsafe text, let user = unsafe user else { return }
        let log = unsafe Unmanaged<MessageLog>.fromOpaque(user).takeUnretainedValue()
        if log.message == nil { log.message = unsafe MessageLog.oneLine(String(cString: text)) }
    }

    func take() -> String? {
        defer { message = nil }
        return message
    }

    private static func oneLine(_ text: String) -> String {
        let words = text.split(whereSeparator: \.isNewline).joined(separator: " ")
        return words.hasSuffix(".") ? String(words.dropLast()) : words
    }
}
