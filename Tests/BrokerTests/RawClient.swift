// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc

/// A TCP connection on this machine that says what it is told to, in its own time.
final class RawClient {
    private let descriptor: Int32

    /// `url`: `http://127.0.0.1:PORT`; `source`: an address of this machine to come from.
    init(_ url: String, from source: String = "127.0.0.1") throws {
        let port = try (URL(string: url)?.port).orThrow("a port in \(url)")
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        try Self.check(descriptor, "socket")
        try unsafe Self.check(Self.with(source, 0) { unsafe bind(descriptor, $0, $1) }, "bind")
        try unsafe Self.check(Self.with("127.0.0.1", UInt16(port)) { unsafe connect(descriptor, $0, $1) }, "connect")
        var patience = timeval(tv_sec: 15, tv_usec: 0)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    /// All of it, as far as the other side takes it.
    func send(_ text: String) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = unsafe bytes.withUnsafeBytes {
                unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }

    /// What comes until the other side closes, or nothing comes for 15 s.
    func readToEnd() -> String {
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { return String(decoding: text, as: UTF8.self) }
            text += buffer.prefix(count)
        }
    }

    /// Whether the other side has not closed it.
    var isOpen: Bool {
        var byte: UInt8 = 0
        let count = unsafe recv(descriptor, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT))
        return count < 0 && errno == EAGAIN
    }

    /// A port that nobody listens on at the moment.
    static func freePort() throws -> UInt16 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        try unsafe check(with("127.0.0.1", 0) { unsafe bind(descriptor, $0, $1) }, "bind")
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe getsockname(descriptor, $0, &length) }
        }
        try check(code, "getsockname")
        return UInt16(bigEndian: address.sin_port)
    }

    private static func with(
        _ host: String, _ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        _ = unsafe inet_pton(AF_INET, host, &address.sin_addr)
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    private static func check(_ code: Int32, _ step: String) throws {
        if code < 0 { throw Missing(what: "\(step): \(unsafe String(cString: strerror(errno)))") }
    }
}
