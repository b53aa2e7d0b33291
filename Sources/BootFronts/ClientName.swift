// SPDX-License-Identifier: Apache-2.0

/// The abstract name that systemd-cryptsetup binds its end of the key socket to: a zero byte, a random number,
/// `/cryptsetup/`, the volume's name.
public enum ClientName {
    /// The volume's name; nil for an address that is not such a name. `address` is `sun_path` without what was not written.
    public static func volume(of address: [UInt8]) -> String? {
        guard address.first == 0 else { return nil }
        let parts = address.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count == 3, parts[1].elementsEqual("cryptsetup".utf8), !parts[2].isEmpty,
            parts[2].allSatisfy({ (0x21...0x7e).contains($0) })
        else { return nil }
        return String(decoding: parts[2], as: UTF8.self)
    }
}
