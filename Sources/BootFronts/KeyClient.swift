// SPDX-License-Identifier: Apache-2.0
internal import CBoot
internal import Glibc
public import PinKit

/// One connection to the key socket. Whoever goes without a key gets 64 random bytes at the end: systemd-cryptsetup would try
/// an empty answer as the empty passphrase.
public struct KeyClient: ~Copyable {
    public let descriptor: Int32
    private var isAnswered = false

    /// The next connection that waits at `listener`; nil when none does.
    public init?(at listener: Int32) {
        let descriptor = cvm_accept(listener)
        guard descriptor >= 0 else { return nil }
        self.descriptor = descriptor
    }

    deinit {
        if !isAnswered, let noise = try? SecretBytes.random(count: 64) { _ = write(noise) }
        close(descriptor)
    }

    /// The process at the other end, which must be root's.
    public func process() throws(FrontError) -> AskingProcess {
        var peer = cvm_peer()
        guard unsafe cvm_peer_of(descriptor, &peer) == 0 else { throw FrontError("the kernel does not say who asks") }
        guard peer.user == 0 else { throw FrontError("process \(peer.process) runs as user \(peer.user), not as root") }
        return try AskingProcess(peer.process)
    }

    /// The volume that its address names.
    public func volume() throws(FrontError) -> String {
        var address = sockaddr_un()
        var length = socklen_t(MemoryLayout<sockaddr_un>.size)
        let status = unsafe withUnsafeMutablePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getpeername(descriptor, $0, &length)
            }
        }
        guard status == 0 else { throw FrontError("the client has gone") }
        let start = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
        let path = unsafe withUnsafeBytes(of: address) { bytes in
            unsafe Array(bytes[min(start, Int(length))..<min(Int(length), bytes.count)])
        }
        guard let volume = ClientName.volume(of: path) else {
            throw FrontError("the client's address does not end in /cryptsetup/NAME, as systemd-cryptsetup's does")
        }
        return volume
    }

    /// Gives the client its key. Never waits: an answer is smaller than any socket's buffer. False where the client does not
    /// take it.
    public mutating func send(_ key: borrowing SecretBytes) -> Bool {
        isAnswered = !key.isEmpty && write(key)
        return isAnswered
    }

    private func write(_ answer: borrowing SecretBytes) -> Bool {
        unsafe answer.withUnsafeBytes { bytes in
            unsafe Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
        }
    }
}
