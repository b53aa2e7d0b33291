// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// Where a broker listens: `127.0.0.1:8443`, `[::1]:8443`, `localhost:0`. Port 0 lets the system choose.
public struct ListenAddress: Sendable, Equatable {
    public let host: String
    public let port: UInt16

    public init(_ text: String) throws(BrokerError) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            throw BrokerError(
                "\(text) is not an address to listen on", hint: "ADDRESS:PORT, such as 127.0.0.1:8443 or [::]:8443")
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        guard !host.isEmpty else { throw BrokerError("\(text) names no address", hint: "0.0.0.0:\(port) listens on all") }
        self.host = String(host)
        self.port = port
    }

    /// Whether only this machine can reach it, so that TLS may be left out.
    public var isLoopback: Bool { ListenAddress.isLoopback(host) }

    static func isLoopback(_ host: String) -> Bool {
        if let octets = ipv4(host) { return octets.first == 127 }
        if let octets = ipv6(host) { return octets == [UInt8](repeating: 0, count: 15) + [1] }
        return host == "localhost"
    }

    static func isIP(_ host: String) -> Bool { ipv4(host) != nil || ipv6(host) != nil }

    static func ipv4(_ host: String) -> [UInt8]? { parse(host, AF_INET, count: 4) }

    static func ipv6(_ host: String) -> [UInt8]? { parse(host, AF_INET6, count: 16) }

    private static func parse(_ host: String, _ family: Int32, count: Int) -> [UInt8]? {
        var octets = [UInt8](repeating: 0, count: count)
        return unsafe inet_pton(family, host, &octets) == 1 ? octets : nil
    }
}
