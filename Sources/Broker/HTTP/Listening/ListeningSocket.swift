// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import NIOCore

/// What a broker accepts connections on.
public enum ListeningSocket: Sendable, Equatable {
    case address(ListenAddress)
    /// A socket that listens already, from the service manager.
    case inherited(Int32)

    /// The first descriptor that a service manager hands over (sd_listen_fds(3)).
    private static let first: Int32 = 3

    /// Sockets from the service manager, by its names for them (`FileDescriptorName=`); none where it did not start this process
    /// for one. Keeps them from programs that this one starts.
    public static func inherited() throws(BrokerError) -> [(name: String, socket: ListeningSocket)] {
        guard number("LISTEN_PID") == getpid(), let count = number("LISTEN_FDS"), (1...16).contains(count) else { return [] }
        let names = (variable("LISTEN_FDNAMES") ?? "").split(separator: ":", omittingEmptySubsequences: false)
        var sockets: [(name: String, socket: ListeningSocket)] = []
        for index in 0..<count {
            let descriptor = first + index
            guard isListening(descriptor) else {
                throw BrokerError("file descriptor \(descriptor) of the service manager is no listening stream socket")
            }
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            let name = Int(index) < names.count ? String(names[Int(index)]) : ""
            sockets.append((name, .inherited(descriptor)))
        }
        return sockets
    }

    /// Whether only this machine can reach it, so that TLS may be left out.
    var isLoopback: Bool {
        switch self {
        case .address(let address): address.isLoopback
        case .inherited(let descriptor): Self.host(of: descriptor).map { ListenAddress.isLoopback($0) } ?? false
        }
    }

    /// A name or an address.
    var host: String {
        switch self {
        case .address(let address): address.host
        case .inherited(let descriptor): Self.host(of: descriptor) ?? "localhost"
        }
    }

    /// For errors.
    var text: String {
        switch self {
        case .address(let address): "\(address.host):\(address.port)"
        case .inherited(let descriptor): "the service manager's socket \(descriptor)"
        }
    }

    private static func isListening(_ descriptor: Int32) -> Bool {
        option(descriptor, SO_ACCEPTCONN) == 1 && option(descriptor, SO_TYPE) == Int32(SOCK_STREAM.rawValue)
    }

    private static func option(_ descriptor: Int32, _ name: Int32) -> Int32? {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return unsafe getsockopt(descriptor, SOL_SOCKET, name, &value, &length) == 0 ? value : nil
    }

    /// Its address in numbers; nil where it has none.
    private static func host(of descriptor: Int32) -> String? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        var text = [UInt8](repeating: 0, count: 64)
        let code = unsafe withUnsafeMutablePointer(to: &storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard unsafe getsockname(descriptor, address, &length) == 0 else { return Int32(-1) }
                return unsafe text.withUnsafeMutableBytes { buffer in
                    unsafe getnameinfo(
                        address, length, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), socklen_t(buffer.count),
                        nil,
                        0, NI_NUMERICHOST)
                }
            }
        }
        return code == 0 ? String(decoding: text.prefix { $0 != 0 }, as: UTF8.self) : nil
    }

    private static func number(_ name: String) -> Int32? { variable(name).flatMap { Int32($0) } }

    private static func variable(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }
}
