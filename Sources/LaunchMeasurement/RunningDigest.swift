// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL
internal import PinKit

/// SHA-2 of bytes that come in pieces, or of many messages one after another. For use by one thread at a time.
@safe final class RunningDigest {
    enum Algorithm {
        case sha256
        case sha384

        fileprivate var name: String { self == .sha256 ? "SHA256" : "SHA384" }
        fileprivate var count: Int { self == .sha256 ? 32 : 48 }
    }

    private let algorithm: Algorithm
    private let implementation: OpaquePointer
    private let context: OpaquePointer

    init(_ algorithm: Algorithm) {
        // Found once: to find it anew for each page of a firmware would take a tenth of the time.
        guard let implementation = unsafe EVP_MD_fetch(nil, algorithm.name, nil), let context = unsafe EVP_MD_CTX_new()
        else {
            preconditionFailure("libcrypto has no SHA-2")
        }
        self.algorithm = algorithm
        unsafe self.implementation = implementation
        unsafe self.context = context
        start()
    }

    deinit {
        unsafe EVP_MD_CTX_free(context)
        unsafe EVP_MD_free(implementation)
    }

    func add(_ bytes: some Sequence<UInt8>) {
        if bytes.withContiguousStorageIfAvailable({ unsafe add(UnsafeRawBufferPointer($0)) }) == nil { add(Array(bytes)) }
    }

    func add(_ bytes: UnsafeRawBufferPointer) {
        let done = unsafe EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
        precondition(done == 1, "libcrypto cannot hash")
    }

    /// The digest of all that was added so far; more may follow.
    func soFar() -> [UInt8] {
        let copy = unsafe EVP_MD_CTX_new()
        defer { unsafe EVP_MD_CTX_free(copy) }
        var digest = [UInt8](repeating: 0, count: algorithm.count)
        let done = unsafe EVP_MD_CTX_copy_ex(copy, context) == 1 && EVP_DigestFinal_ex(copy, &digest, nil) == 1
        precondition(done, "libcrypto cannot hash")
        return digest
    }

    /// The digest of all that was added. The next message begins with nothing.
    func finish() -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: algorithm.count)
        let done = unsafe EVP_DigestFinal_ex(context, &digest, nil)
        precondition(done == 1, "libcrypto cannot hash")
        start()
        return digest
    }

    private func start() {
        let done = unsafe EVP_DigestInit_ex2(context, implementation, nil)
        precondition(done == 1, "libcrypto cannot hash")
    }
}
