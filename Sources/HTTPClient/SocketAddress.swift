// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// Where a TCP connection may lead, as the system's resolver says it.
struct SocketAddress: Sendable {
    /// More than a name has that means well.
    private static let maximumCount = 8

    /// Why there are none, in the resolver's words.
    struct Missing: Error {
        let reason: String
    }

    let family: Int32
    /// A `sockaddr` of that family.
    private let bytes: [UInt8]

    /// The name of this machine, which is never looked up (RFC 6761 §6.3).
    static let localhost = "localhost"

    /// Those of a host that nobody need be asked about; nil for a name.
    static func known(_ host: String, port: UInt16) -> [SocketAddress]? {
        let numbers = host == localhost ? ["127.0.0.1", "::1"] : [host]
        let found = numbers.compactMap { try? all(of: $0, port: port, flags: AI_NUMERICHOST) }
        return found.isEmpty ? nil : Array(found.joined())
    }

    /// Whether `host` is an address of IPv4 or IPv6 in its usual form.
    static func isNumeric(_ host: String) -> Bool {
        var address = in6_addr()
        return unsafe inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1
    }

    /// Those of a name, in the order in which to try them; at least one. It takes as long as it takes.
    static func lookUp(_ name: String, port: UInt16) throws(Missing) -> [SocketAddress] {
        try all(of: name, port: port, flags: AI_ADDRCONFIG)
    }

    private static func all(of host: String, port: UInt16, flags: Int32) throws(Missing) -> [SocketAddress] {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = flags | AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let status = unsafe getaddrinfo(host, "\(port)", &hints, &list)
        guard status == 0 else { throw Missing(reason: unsafe String(cString: gai_strerror(status))) }
        defer { unsafe freeaddrinfo(list) }
        var found: [SocketAddress] = []
        var next = unsafe list
        while found.count < maximumCount, let info = unsafe next?.pointee {
            unsafe next = info.ai_next
            guard let start = unsafe info.ai_addr else { continue }
            let bytes = unsafe UnsafeRawBufferPointer(start: start, count: Int(info.ai_addrlen))
            found.append(SocketAddress(family: unsafe info.ai_family, bytes: unsafe Array(bytes)))
        }
        guard !found.isEmpty else { throw Missing(reason: "it has no address") }
        return found
    }

    /// Begins to connect, without waiting. An error is the kernel's number.
    func begin() throws(Errno) -> Int32 {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = socket(family, type, 0)
        guard descriptor >= 0 else { throw Errno(number: errno) }
        let status = unsafe bytes.withUnsafeBytes { bytes in
            unsafe connect(descriptor, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress, socklen_t(bytes.count))
        }
        if status == 0 || errno == EINPROGRESS { return descriptor }
        let reason = errno
        close(descriptor)
        throw Errno(number: reason)
    }
}

/// What the kernel says went wrong.
struct Errno: Error, CustomStringConvertible {
    let number: Int32

    var description: String { unsafe String(cString: strerror(number)) }
}
