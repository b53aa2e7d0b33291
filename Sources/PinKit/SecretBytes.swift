// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL

/// Bytes that must not outlive their use: one owner, no copies, wiped when it goes away.
///
/// Filled by a closure, lent by ``withBytes(_:)`` and ``withUnsafeBytes(_:)``. It can be neither printed nor interpolated.
/// What a C library or a caller copies out of the closure is theirs to wipe.
@safe public struct SecretBytes: ~Copyable, @unchecked Sendable {
    private let storage: UnsafeMutableRawBufferPointer

    /// `count` bytes, zero at first, as `fill` leaves them. `count` must not be negative.
    public init<E: Error>(
        count: Int, filling fill: (UnsafeMutableRawBufferPointer) throws(E) -> Void
    ) throws(E) {
        let storage = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 16)
        unsafe storage.initializeMemory(as: UInt8.self, repeating: 0)
        do throws(E) {
            try unsafe fill(storage)
        } catch {
            unsafe SecretBytes.wipe(storage)
            unsafe storage.deallocate()
            throw error
        }
        unsafe self.storage = storage
    }

    /// A copy of `bytes`, which stay where they are: for the caller who wipes them, or for bytes that are no secret.
    public init(copying bytes: UnsafeRawBufferPointer) {
        unsafe self.init(count: bytes.count) { unsafe $0.copyMemory(from: bytes) }
    }

    /// A copy of an array, which nobody can wipe: for tests, and for bytes that are no secret.
    public init(copyingPublic bytes: [UInt8]) {
        unsafe self.init(count: bytes.count) { unsafe $0.copyBytes(from: bytes) }
    }

    /// `count` bytes from the system's random generator.
    public static func random(count: Int) throws(PinError) -> SecretBytes {
        try unsafe SecretBytes(count: count) { (buffer) throws(PinError) in
            guard unsafe RAND_priv_bytes(buffer.baseAddress, Int32(buffer.count)) == 1 else {
                throw PinError(.failed, step: "RAND_priv_bytes", detail: opensslReason())
            }
        }
    }

    deinit {
        unsafe SecretBytes.wipe(storage)
        unsafe storage.deallocate()
    }

    public var count: Int { unsafe storage.count }
    public var isEmpty: Bool { count == 0 }

    public func withBytes<R: ~Copyable, E: Error>(_ body: (RawSpan) throws(E) -> R) throws(E) -> R {
        try unsafe body(UnsafeRawBufferPointer(storage).bytes)
    }

    public func withUnsafeBytes<R: ~Copyable, E: Error>(
        _ body: (UnsafeRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        try unsafe body(UnsafeRawBufferPointer(storage))
    }

    /// A copy of the bytes in `range`, or nil where the range is not inside.
    public func slice(_ range: Range<Int>) -> SecretBytes? {
        guard range.lowerBound >= 0, range.upperBound <= count else { return nil }
        return unsafe SecretBytes(copying: UnsafeRawBufferPointer(rebasing: storage[range]))
    }

    public borrowing func copy() -> SecretBytes {
        unsafe SecretBytes(copying: UnsafeRawBufferPointer(storage))
    }

    /// This followed by `other`.
    public func appending(_ other: borrowing SecretBytes) -> SecretBytes {
        let split = count
        return unsafe SecretBytes(count: split + other.count) { joined in
            unsafe joined.copyMemory(from: UnsafeRawBufferPointer(storage))
            unsafe other.withUnsafeBytes { tail in
                unsafe UnsafeMutableRawBufferPointer(rebasing: joined[split...]).copyMemory(from: tail)
            }
        }
    }

    /// Whether both hold the same bytes; takes the same time wherever they differ.
    public func equals(_ other: borrowing SecretBytes) -> Bool {
        guard count == other.count else { return false }
        return unsafe other.withUnsafeBytes { unsafe CRYPTO_memcmp(storage.baseAddress, $0.baseAddress, storage.count) == 0 }
    }

    private static func wipe(_ buffer: UnsafeMutableRawBufferPointer) {
        unsafe OPENSSL_cleanse(buffer.baseAddress, buffer.count)
    }
}
