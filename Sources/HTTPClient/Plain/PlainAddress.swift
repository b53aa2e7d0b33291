// SPDX-License-Identifier: Apache-2.0

/// An `http` address in which nothing needs interpretation: a host, perhaps a port, and a path of ordinary characters.
///
/// What is written in another way (user names, `%`, queries, `..`, names that are not ASCII) is left to libcurl, so that no
/// address means one thing here and another there.
package struct PlainAddress: Sendable, Equatable {
    /// A name, or an address of IPv4 or IPv6, the latter without its brackets.
    package let host: String
    package let port: UInt16
    /// With the slash at its start.
    package let path: String

    package init?(_ url: String) {
        let bytes = Array(url.utf8)
        guard bytes.count <= PlainAddress.maximumLength, bytes.starts(with: PlainAddress.scheme) else { return nil }
        let rest = bytes[PlainAddress.scheme.count...]
        let slash = rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex
        let path = rest[slash...]
        guard let (host, port) = PlainAddress.authority(rest[..<slash]), path.allSatisfy(PlainAddress.isOfPath),
            !PlainAddress.climbs(path)
        else { return nil }
        self.host = host
        self.port = port
        self.path = path.isEmpty ? "/" : String(decoding: path, as: UTF8.self)
    }

    /// As in a Host field (RFC 9110 §7.2).
    package var authority: String {
        let host = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
        return port == 80 ? host : "\(host):\(port)"
    }

    private static let maximumLength = 2048
    private static let scheme = Array("http://".utf8)

    private static func authority(_ bytes: ArraySlice<UInt8>) -> (host: String, port: UInt16)? {
        let isBracketed = bytes.first == UInt8(ascii: "[")
        guard let end = bytes.firstIndex(of: UInt8(ascii: isBracketed ? "]" : ":")) ?? (isBracketed ? nil : bytes.endIndex)
        else { return nil }
        let host = isBracketed ? bytes[..<end].dropFirst() : bytes[..<end]
        guard (1...253).contains(host.count), host.allSatisfy(isBracketed ? isOfIPv6 : isOfName) else { return nil }
        let name = String(decoding: host, as: UTF8.self)
        let rest = isBracketed ? bytes[end...].dropFirst() : bytes[end...]
        guard !rest.isEmpty else { return (name, 80) }
        guard rest.first == UInt8(ascii: ":"), let port = port(rest.dropFirst()) else { return nil }
        return (name, port)
    }

    private static func port(_ digits: ArraySlice<UInt8>) -> UInt16? {
        guard digits.allSatisfy(isDigit), let port = UInt16(String(decoding: digits, as: UTF8.self)), port > 0 else {
            return nil
        }
        return port
    }

    /// Whether a segment of `path` begins with a dot, as those do that libcurl would resolve.
    private static func climbs(_ path: ArraySlice<UInt8>) -> Bool {
        path.split(separator: UInt8(ascii: "/")).contains { $0.first == UInt8(ascii: ".") }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func isLetter(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) }

    private static func isOfName(_ byte: UInt8) -> Bool {
        isDigit(byte) || isLetter(byte) || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-")
    }

    private static func isOfIPv6(_ byte: UInt8) -> Bool {
        isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20) || byte == UInt8(ascii: ":")
            || byte == UInt8(ascii: ".")
    }

    private static func isOfPath(_ byte: UInt8) -> Bool {
        isOfName(byte) || byte == UInt8(ascii: "/") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "~")
    }
}
