// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// What a service manager is told (sd_notify(3)). Without one all of this does nothing.
public enum ServiceManager {
    /// Requests can be answered.
    public static func tellReady(_ status: String) { tell("READY=1\nSTATUS=\(status)\n") }

    /// The last requests are being answered.
    public static func tellStopping() { tell("STOPPING=1\n") }

    /// One datagram to the socket that `NOTIFY_SOCKET` names: a path, or `@` and an abstract name.
    private static func tell(_ text: String) {
        guard let name = unsafe getenv("NOTIFY_SOCKET").map({ unsafe Array(String(cString: $0).utf8) }),
            var address = sockaddr_un(name)
        else {
            return
        }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
        unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = unsafe sendto(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL), $0, length)
            }
        }
    }
}

extension sockaddr_un {
    /// nil where `name` is neither a path nor an abstract name, or is too long.
    fileprivate init?(_ name: [UInt8]) {
        self.init()
        let capacity = MemoryLayout.size(ofValue: sun_path)
        guard let first = name.first, first == UInt8(ascii: "/") || first == UInt8(ascii: "@"), name.count < capacity else {
            return nil
        }
        sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &sun_path) { path in
            unsafe path.copyBytes(from: name)
            if first == UInt8(ascii: "@") { unsafe path[0] = 0 }
        }
    }
}
