// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// Whom a connection leads to, and how it is made sure that it does.
struct Peer: Equatable {
    let isEncrypted: Bool
    let host: String
    let port: UInt16
    /// SHA-256 of the SubjectPublicKeyInfo, 32 bytes, or of two; nil where certificate authorities vouch for it, or nobody.
    let pin: [UInt8]?
    /// PEM of the certificates that may vouch for it; empty for the system's.
    let authorities: [UInt8]

    init(_ url: RequestURL, pin: [UInt8]?, authorities: [UInt8] = []) {
        isEncrypted = url.isEncrypted
        host = url.host
        port = url.port
        self.pin = url.isEncrypted ? pin : nil
        self.authorities = url.isEncrypted ? authorities : []
    }
}

/// A connection to a server, through TLS where its address says so. For use by one thread at a time.
final class Connection: @unchecked Sendable {
    let peer: Peer
    private let tcp: TCPConnection
    private var tls: TLSSession?

    /// Begins at once; nothing is waited for.
    init(to peer: Peer) {
        self.peer = peer
        tcp = TCPConnection(to: peer.host, port: peer.port)
    }

    deinit {
        guard let tls else { return }
        tls.end()
        tcp.sendAtOnce(tls.takeOutgoing())
    }

    /// Sends all of `bytes`, which are some.
    func send(_ bytes: borrowing SecretBytes, before deadline: Deadline) throws(HTTPFailure) {
        try unsafe bytes.withUnsafeBytes { (bytes) throws(HTTPFailure) in
            guard peer.isEncrypted else { return try unsafe tcp.send(bytes, before: deadline) }
            let tls = try startTLS()
            _ = try carry(tls, before: deadline) { unsafe tls.write(bytes) }
        }
    }

    /// Some bytes; none where the other end has closed. With TLS it must have said so itself: whoever cuts the wire cannot.
    func receive(before deadline: Deadline) throws(HTTPFailure) -> [UInt8] {
        guard let tls else { return try tcp.receive(before: deadline) }
        return try carry(tls, before: deadline) { tls.read() }
    }

    private func startTLS() throws(HTTPFailure) -> TLSSession {
        if let tls { return tls }
        do throws(PinError) {
            let session = try TLSSession(with: peer)
            tls = session
            return session
        } catch {
            throw HTTPFailure(.other, error.description)
        }
    }

    /// Carries between session and socket until `step` is done.
    private func carry(
        _ tls: TLSSession, before deadline: Deadline, _ step: () -> TLSSession.Outcome
    ) throws(HTTPFailure) -> [UInt8] {
        while true {
            let outcome = step()
            if case .failed(let failure) = outcome {
                // An alert says why; the failure is told, whether it gets through or not.
                tcp.sendAtOnce(tls.takeOutgoing())
                self.tls = nil
                throw failure
            }
            try tcp.send(tls.takeOutgoing(), before: deadline)
            switch outcome {
            case .done(let bytes): return bytes
            case .ended, .failed: return []
            case .hungry: break
            }
            let bytes = try tcp.receive(before: deadline)
            guard !bytes.isEmpty else { throw HTTPFailure(.closed, "the server broke the TLS connection off") }
            tls.hear(bytes)
        }
    }
}
