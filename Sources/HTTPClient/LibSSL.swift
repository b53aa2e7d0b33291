// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL
internal import Glibc
package import PinKit

/// libssl, opened at run time and never closed: its functions, one table for the process.
@safe package final class LibSSL: @unchecked Sendable {
    /// What all sessions share that trust in the same way.
    @safe struct Context: @unchecked Sendable {
        let library: LibSSL
        let pointer: OpaquePointer
    }

    let functions: UnsafeMutablePointer<cvm_tls>

    private static let opened = Result { () throws(PinError) in try LibSSL(named: "libssl.so.3") }
    private static let pinned = Result { () throws(PinError) in try opened.get().context(isPinned: true) }
    private static let authorities = Result { () throws(PinError) in try opened.get().context(isPinned: false) }

    /// For sessions with a pin each, or for those that certificate authorities vouch for; `.unavailable` where this system has
    /// no libssl. The same answer for the life of the process.
    static func context(isPinned: Bool) throws(PinError) -> Context { try isPinned ? pinned.get() : authorities.get() }

    package init(named name: String) throws(PinError) {
        let functions = UnsafeMutablePointer<cvm_tls>.allocate(capacity: 1)
        unsafe functions.initialize(to: cvm_tls())
        guard unsafe cvm_tls_open(functions, name) == 1 else {
            unsafe functions.deallocate()
            let reason = unsafe dlerror().map { unsafe String(cString: $0) } ?? "dlopen gave no reason"
            throw PinError(.unavailable, step: "open \(name)", detail: "\(reason); on Debian the package libssl3 brings it")
        }
        unsafe self.functions = functions
    }

    deinit { unsafe functions.deallocate() }

    private func context(isPinned: Bool) throws(PinError) -> Context {
        guard let pointer = unsafe cvm_tls_context(functions, isPinned ? 1 : 0) else {
            throw PinError(.failed, step: "SSL_CTX_new", detail: opensslReason())
        }
        return unsafe Context(library: self, pointer: pointer)
    }
}
