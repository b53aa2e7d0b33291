// SPDX-License-Identifier: Apache-2.0
import BootFronts
import LUKS

/// The line of an initrd's crypttab by which systemd opens a volume with a key that a front of ours brings.
struct CrypttabLine: CustomStringConvertible {
    enum Front: String {
        case socket, agent, plugin
    }

    let description: String

    init(_ volume: BootConfig.Volume, _ front: Front) {
        var options: [String] = []
        // The plugin is given the very header that opens the volume.
        if front != .plugin { options.append("header=\(BootPaths.header(of: volume.name))") }
        options.append("x-initrd.attach")
        if volume.onFailure == .poweroff {
            // An agent answers prompts, which there are none of in a headless boot: they end by themselves.
            options += ["tries=1", front == .agent ? "timeout=180" : "headless=1"]
        }
        let key = front == .socket ? BootPaths.keySocket : "none"
        description = "\(volume.name) UUID=\(volume.uuid) \(key) \(options.joined(separator: ","))"
    }
}
