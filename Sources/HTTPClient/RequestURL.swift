// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// An address of `https` or `http` (RFC 3986): a host, perhaps a port, and what a server is asked for there.
///
/// Nothing in it is decoded or resolved: what two readers could take for different things is refused (user names, fragments,
/// segments of dots, names that are not ASCII).
package struct RequestURL: Sendable, Equatable {
    package let isEncrypted: Bool
    /// A name, or an address of IPv4 or IPv6, the latter without its brackets.
    package let host: String
    package let port: UInt16
    /// Path and query, with the slash at its start.
    package let target: String

    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count <= RequestURL.maximumLength, let colon = bytes.firstIndex(of: UInt8(ascii: ":")),
            bytes[colon...].starts(with: "://".utf8)
        else { return nil }
        switch AnswerReader.lowercased(bytes[..<colon]) {
        case Array("https".utf8): isEncrypted = true
        case Array("http".utf8): isEncrypted = false
        default: return nil
        }
        let rest = bytes[(colon + 3)...]
        let split = rest.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? rest.endIndex
        let target = rest[split...]
        guard let (host, port) = RequestURL.authority(rest[..<split], defaultPort: isEncrypted ? 443 : 80),
            target.allSatisfy(RequestURL.isOfTarget), !RequestURL.climbs(target)
        else { return nil }
        self.host = host
        self.port = port
        self.target = (target.first == UInt8(ascii: "/") ? "" : "/") + String(decoding: target, as: UTF8.self)
    }

    /// As in a Host field (RFC 9110 §7.2).
    package var authority: String {
        let host = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
        return port == (isEncrypted ? 443 : 80) ? host : "\(host):\(port)"
    }

    /// Whether it leads to this machine: a loopback address, or the name that is never looked up.
    var isLoopback: Bool {
        if host == SocketAddress.localhost || host == "::1" { return true }
        var address = in_addr()
        // 127.0.0.0/8 (RFC 1122 §3.2.1.3); a name such as 127.example.org is no address.
        return unsafe inet_pton(AF_INET, host, &address) == 1 && UInt32(bigEndian: address.s_addr) >> 24 == 127
    }

    private static let maximumLength = 2048

    private static func authority(_ bytes: ArraySlice<UInt8>, defaultPort: UInt16) -> (host: String, port: UInt16)? {
        let isBracketed = bytes.first == UInt8(ascii: "[")
        guard let end = bytes.firstIndex(of: UInt8(ascii: isBracketed ? "]" : ":")) ?? (isBracketed ? nil : bytes.endIndex)
        else { return nil }
        let host = isBracketed ? bytes[..<end].dropFirst() : bytes[..<end]
        guard (1...253).contains(host.count), host.allSatisfy(isBracketed ? isOfIPv6 : isOfName) else { return nil }
        let name = String(decoding: host, as: UTF8.self)
        let rest = isBracketed ? bytes[end...].dropFirst() : bytes[end...]
        guard !rest.isEmpty else { return (name, defaultPort) }
        guard rest.first == UInt8(ascii: ":"), let port = port(rest.dropFirst()) else { return nil }
        return (name, port)
    }

    private static func port(_ digits: ArraySlice<UInt8>) -> UInt16? {
        guard digits.allSatisfy(isDigit), let port = UInt16(String(decoding: digits, as: UTF8.self)), port > 0 else {
            return nil
        }
        return port
    }

    /// Whether a segment of its path is `.` or `..`, which some resolve and others send.
    private static func climbs(_ target: ArraySlice<UInt8>) -> Bool {
        target.prefix { $0 != UInt8(ascii: "?") }.split(separator: UInt8(ascii: "/"))
            .contains { $0.elementsEqual(".".utf8) || $0.elementsEqual("..".utf8) }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func isLetter(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) }

    private static func isOfName(_ byte: UInt8) -> Bool {
        isDigit(byte) || isLetter(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-")
            || byte == UInt8(ascii: "_")
    }

    private static func isOfIPv6(_ byte: UInt8) -> Bool {
        isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20) || byte == UInt8(ascii: ":")
            || byte == UInt8(ascii: ".")
    }

    private static func isOfTarget(_ byte: UInt8) -> Bool {
        (0x21...0x7e).contains(byte) && !"\"#<>[\\]^`{|}".utf8.contains(byte)
    }
}
