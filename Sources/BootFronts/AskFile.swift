// SPDX-License-Identifier: Apache-2.0
internal import Glibc
public import PinKit

/// One question of systemd's password agent protocol: an `ask.*` file.
public struct AskFile: Sendable, Equatable {
    /// Bytes of the file.
    public static let maximumLength = 16 << 10

    public let process: Int32
    /// Where the answer goes.
    public let socket: String
    public let id: String
    /// Microseconds of CLOCK_MONOTONIC; 0 for no end.
    public let notAfter: UInt64

    /// Bytes of the socket's path; with its zero byte it must fit into an address, which takes 108.
    private static let maximumPath = 92

    /// Reads the file; members that nobody here needs are not looked at.
    public init(_ text: [UInt8]) throws(FrontError) {
        var members: [String: String] = [:]
        for line in text.split(separator: UInt8(ascii: "\n")) {
            guard let equals = line.firstIndex(of: UInt8(ascii: "=")) else { continue }
            let name = String(decoding: line[..<equals], as: UTF8.self)
            members[name] = String(decoding: line[line.index(after: equals)...], as: UTF8.self)
        }
        guard let process = members["PID"].flatMap({ Int32($0) }), process > 1 else {
            throw FrontError("the question has no PID")
        }
        guard let socket = members["Socket"], AskFile.isSocket(socket) else {
            throw FrontError("the question has no socket below \(BootPaths.asks)")
        }
        guard let notAfter = UInt64(members["NotAfter"] ?? "0") else {
            throw FrontError("the question's NotAfter is no number")
        }
        self.process = process
        self.socket = socket
        self.id = members["Id"] ?? ""
        self.notAfter = notAfter
    }

    /// Whether it asks for the passphrase of a volume.
    public var isForVolume: Bool { id.hasPrefix("cryptsetup:") }

    private static func isSocket(_ path: String) -> Bool {
        let prefix = "\(BootPaths.asks)/"
        // systemd 257 writes two slashes.
        let name = path.utf8.dropFirst(prefix.utf8.count).drop { $0 == UInt8(ascii: "/") }
        return path.hasPrefix(prefix) && path.utf8.count <= maximumPath && !name.isEmpty
            && name.allSatisfy { (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "/") }
    }

    /// `+`, the passphrase, a zero byte. Throws for one that the asking side would not read whole.
    public static func answer(_ passphrase: borrowing SecretBytes) throws(FrontError) -> SecretBytes {
        let fits = unsafe passphrase.withUnsafeBytes { bytes in
            unsafe !bytes.isEmpty && bytes.allSatisfy { $0 != 0 && $0 != UInt8(ascii: "\n") }
        }
        guard fits else {
            throw FrontError("the passphrase is empty or has a zero byte or a newline in it, which a prompt cannot take")
        }
        return SecretBytes(copyingPublic: [UInt8(ascii: "+")]).appending(passphrase)
            .appending(SecretBytes(copyingPublic: [0]))
    }
}

extension AskFile {
    /// Sends `answer` as one datagram, and never waits.
    public func send(_ answer: borrowing SecretBytes) throws(FrontError) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: Array(socket.utf8) + [0]) }
        let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw FrontError("no socket to answer with") }
        defer { close(descriptor) }
        let sent = unsafe answer.withUnsafeBytes { bytes in
            unsafe withUnsafePointer(to: address) { address in
                unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe sendto(
                        descriptor, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL), $0,
                        socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
        }
        guard sent == answer.count else {
            throw FrontError("the answer was not taken: \(unsafe String(cString: strerror(errno)))")
        }
    }
}
