// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL
internal import Glibc
internal import PinKit

/// A client's side of TLS between two buffers: what came in and what is to go out. Who owns the socket carries both, and so
/// decides how long to wait; nothing here waits.
@safe final class TLSSession {
    enum Outcome {
        /// Bytes that were read; none after a write.
        case done([UInt8])
        /// The other end has said that it will say no more.
        case ended
        /// First the other end has to say more.
        case hungry
        case failed(HTTPFailure)
    }

    private let library: LibSSL
    private let session: OpaquePointer
    /// Of the session, and freed with it.
    private let incoming, outgoing: OpaquePointer
    /// How many, and 32 bytes of each, for as long as the session.
    private let pins: UnsafeMutablePointer<UInt8>?

    init(with peer: Peer) throws(PinError) {
        let context = try LibSSL.context(isPinned: peer.pin != nil)
        library = context.library
        if let pin = peer.pin {
            let bytes = [UInt8(clamping: pin.count / 32)] + pin
            let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: bytes.count)
            unsafe copy.initialize(from: bytes, count: bytes.count)
            unsafe pins = copy
        } else {
            unsafe pins = nil
        }
        let (incoming, outgoing) = unsafe (BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()))
        // A name may end with a dot, which is in no certificate.
        let host = peer.host.hasSuffix(".") ? String(peer.host.dropLast()) : peer.host
        guard
            let session = unsafe cvm_tls_session(
                library.functions, context.pointer, host, SocketAddress.isNumeric(host) ? 1 : 0, pins, incoming, outgoing),
            let incoming = unsafe incoming, let outgoing = unsafe outgoing
        else {
            unsafe pins?.deallocate()
            throw PinError(.failed, step: "SSL_new", detail: opensslReason())
        }
        unsafe self.session = session
        unsafe self.incoming = incoming
        unsafe self.outgoing = outgoing
        guard peer.authorities.isEmpty || trust(only: peer.authorities) else {
            ERR_clear_error()
            throw PinError(.malformed, step: "certificates of the server", detail: "are not PEM")
        }
    }

    /// False where `authorities` holds no certificate.
    private func trust(only authorities: [UInt8]) -> Bool {
        unsafe authorities.withUnsafeBytes { bytes in
            unsafe cvm_tls_trust(library.functions, session, bytes.baseAddress, Int32(clamping: bytes.count)) == 1
        }
    }

    deinit {
        unsafe cvm_tls_free(library.functions, session)
        unsafe pins?.deallocate()
    }

    /// The first write begins with the handshake.
    func write(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        ERR_clear_error()
        let result = unsafe cvm_tls_write(library.functions, session, bytes.baseAddress, Int32(clamping: bytes.count))
        return result > 0 ? .done([]) : outcome(result)
    }

    func read() -> Outcome {
        ERR_clear_error()
        var result: Int32 = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: 16 << 10) { buffer, count in
            result = unsafe cvm_tls_read(library.functions, session, buffer.baseAddress, Int32(buffer.count))
            count = Int(max(0, result))
        }
        return result > 0 ? .done(bytes) : outcome(result)
    }

    /// Says that nothing will follow. That it is too early for that is no error of anybody's.
    func end() {
        _ = unsafe cvm_tls_shutdown(library.functions, session)
        ERR_clear_error()
    }

    /// What the other end said.
    func hear(_ bytes: [UInt8]) {
        _ = unsafe bytes.withUnsafeBytes { unsafe BIO_write(incoming, $0.baseAddress, Int32(clamping: $0.count)) }
    }

    /// What is to be said to the other end, once.
    func takeOutgoing() -> [UInt8] {
        let count = unsafe BIO_ctrl_pending(outgoing)
        guard count > 0 else { return [] }
        return unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = Int(max(0, unsafe BIO_read(outgoing, buffer.baseAddress, Int32(clamping: buffer.count))))
        }
    }

    private func outcome(_ result: Int32) -> Outcome {
        switch unsafe cvm_tls_error(library.functions, session, result) {
        case SSL_ERROR_WANT_READ: return .hungry
        case SSL_ERROR_ZERO_RETURN: return .ended
        default: return .failed(failure)
        }
    }

    private var failure: HTTPFailure {
        let reason = opensslReason()
        let verdict = unsafe cvm_tls_verify_result(library.functions, session)
        switch Int32(clamping: verdict) {
        case X509_V_OK: return HTTPFailure(.other, "TLS: \(reason)")
        case X509_V_ERR_APPLICATION_VERIFICATION: return HTTPFailure(.refused, "the server's TLS key is not the pinned one")
        default:
            let words = unsafe String(cString: X509_verify_cert_error_string(verdict))
            return HTTPFailure(.refused, "the server's certificate is not trusted: \(words)")
        }
    }
}
