// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL

/// Lends a libcrypto BIO that reads `text`. The BIO keeps a pointer into the array, so it must not outlive the call; nil where
/// it cannot be made or `body` gives nil.
package func withBIO<R>(over text: [UInt8], _ body: (OpaquePointer) -> R?) -> R? {
    unsafe text.withUnsafeBytes { bytes in
        guard let bio = unsafe BIO_new_mem_buf(bytes.baseAddress, Int32(clamping: bytes.count)) else { return nil }
        defer { unsafe BIO_free(bio) }
        return unsafe body(bio)
    }
}
