// SPDX-License-Identifier: Apache-2.0
import Glibc
@testable import HTTPClient
import PinKit
import Testing

@Suite struct TCPConnectionTests {
    private static let head = Array("GET /denied HTTP/1.1\r\n\r\n".utf8)

    private func address(_ port: UInt16) throws -> [SocketAddress] {
        try #require(SocketAddress.known("127.0.0.1", port: port))
    }

    @Test func `the second address of a name is taken where the first is refused`() throws {
        let alive = try address(#require(RequestURL(Server.plain.url)).port)
        let dead = try address(1)
        let connection = TCPConnection(to: "two.example", port: 80) { _, _ in dead + alive }
        try connection.send(Self.head, before: .after(seconds: 10))
        #expect(try !connection.receive(before: .after(seconds: 10)).isEmpty)
    }

    @Test func `the second address is tried beside a first that does not answer`() throws {
        let silent = try SilentPort()
        let (dead, alive) = (try address(silent.port), try address(#require(RequestURL(Server.plain.url)).port))
        let connection = TCPConnection(to: "two.example", port: 80) { _, _ in dead + alive }
        let time = try ContinuousClock().measure { try connection.send(Self.head, before: .after(seconds: 10)) }
        #expect(time >= .milliseconds(250) && time < .seconds(5), "\(time)")
        #expect(try !connection.receive(before: .after(seconds: 10)).isEmpty)
    }

    @Test func `a port that does not answer ends at the deadline`() throws {
        let silent = try SilentPort()
        let connection = TCPConnection(to: "127.0.0.1", port: silent.port)
        let failure = try #require(throws: HTTPFailure.self) { try connection.send([1], before: .after(milliseconds: 100)) }
        #expect(failure.reason == "connect to 127.0.0.1 port \(silent.port): no answer before the deadline")
    }

    @Test func `the deadline leaves a resolver behind that does not answer`() throws {
        let gate = Mailbox<Void>()
        let left = Mailbox<Void>()
        do {
            let connection = TCPConnection(to: "slow.example", port: 80) { (_, _) throws(SocketAddress.Missing) in
                _ = gate.next(before: .after(seconds: 60))
                defer { left.post(()) }
                throw SocketAddress.Missing(reason: "late")
            }
            let failure = try #require(throws: HTTPFailure.self) {
                try connection.send([1], before: .after(milliseconds: 100))
            }
            #expect(failure.reason == "look up slow.example: no answer before the deadline")
        }
        // It answers when the connection is gone, to nobody.
        gate.post(())
        #expect(left.next(before: .after(seconds: 10)) != nil)
    }

    @Test func `localhost is this machine and is not looked up`() throws {
        let port = try #require(RequestURL(Server.plain.url)).port
        let connection = TCPConnection(to: "localhost", port: port) { (_, _) throws(SocketAddress.Missing) in
            throw SocketAddress.Missing(reason: "asked")
        }
        try connection.send(Self.head, before: .after(seconds: 10))
        #expect(try !connection.receive(before: .after(seconds: 10)).isEmpty)
    }
}

/// A port where connections wait in vain: its queue is full.
private final class SilentPort {
    let port: UInt16
    private var sockets: [Int32] = []

    init() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        sockets.append(listener)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe bind(listener, pointer, length) == 0 && listen(listener, 0) == 0
                    && getsockname(listener, pointer, &length) == 0
            }
        }
        try #require(isListening)
        port = UInt16(bigEndian: address.sin_port)
        let known = try #require(SocketAddress.known("127.0.0.1", port: port))
        for _ in 0..<4 { sockets.append(try known[0].begin()) }
    }

    deinit { for socket in sockets { close(socket) } }
}
