// SPDX-License-Identifier: Apache-2.0
/// Places that the program, the units and systemd agree on (docs/spec/boot.md).
public enum BootPaths {
    /// Of root alone.
    public static let directory = "/run/cvm-clevis"
    public static let keySocket = "\(directory)/key.socket"
    public static let asks = "/run/systemd/ask-password"
    public static let initrdRelease = "/etc/initrd-release"

    /// The validated copy of a volume's header.
    public static func header(of volume: String) -> String { "\(directory)/\(volume).header" }
}
