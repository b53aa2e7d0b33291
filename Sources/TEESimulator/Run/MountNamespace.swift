// SPDX-License-Identifier: Apache-2.0
internal import CFUSE
internal import Glibc

/// The private view of the file system in which the simulated platform is seen: by this process and its children, and by
/// nobody else on the machine.
enum MountNamespace {
    static let configfs = "/sys/kernel/config"
    static let secrets = "/sys/kernel/security/secrets/coco"

    /// Enters a new mount namespace, with nothing in /sys/kernel but an empty directory to mount over.
    static func enter() throws(SimulatorError) {
        guard geteuid() == 0 else { throw SimulatorError("needs root, to mount in a namespace of its own: try sudo") }
        guard unsafe access("/dev/fuse", R_OK | W_OK) == 0 else {
            throw SimulatorError("needs /dev/fuse: modprobe fuse; in a container, --device /dev/fuse --cap-add SYS_ADMIN")
        }
        guard cvm_unshare_mounts() == 0 else { throw failure("a mount namespace (CAP_SYS_ADMIN)") }
        // Nothing that is mounted from here on may reach the namespace we came from.
        guard unsafe mount(nil, "/", nil, UInt(MS_REC | MS_PRIVATE), nil) == 0 else {
            throw failure("mounts made private")
        }
        guard unsafe mount("cvm-tee-sim", "/sys/kernel", "tmpfs", 0, "mode=0755") == 0 else {
            throw failure("a tmpfs over /sys/kernel")
        }
        guard unsafe mkdir(configfs, 0o755) == 0 else { throw failure("the directory \(configfs)") }
    }

    /// Puts an event log where the kernel shows a TDX guest's, in a /sys/firmware with nothing else in it.
    static func show(eventLog: [UInt8]) throws(SimulatorError) {
        guard unsafe mount("cvm-tee-sim", "/sys/firmware", "tmpfs", 0, "mode=0755") == 0 else {
            throw failure("a tmpfs over /sys/firmware")
        }
        var directory = "/sys/firmware"
        for name in ["acpi", "tables", "data"] {
            directory += "/\(name)"
            guard unsafe mkdir(directory, 0o755) == 0 else { throw failure("the directory \(directory)") }
        }
        let file = unsafe open("\(directory)/CCEL", O_WRONLY | O_CREAT | O_CLOEXEC, 0o400)
        guard file >= 0 else { throw failure("the file \(directory)/CCEL") }
        defer { close(file) }
        guard unsafe write(file, eventLog, eventLog.count) == eventLog.count else {
            throw failure("the file \(directory)/CCEL")
        }
    }

    /// Makes the directory in which the kernel shows secrets, to be mounted over.
    static func makeSecretDirectory() throws(SimulatorError) {
        for directory in ["/sys/kernel/security", "/sys/kernel/security/secrets", secrets] {
            guard unsafe mkdir(directory, 0o755) == 0 else { throw failure("the directory \(directory)") }
        }
    }

    /// Takes the file systems away even where a process that the command left behind still uses them.
    static func leave() {
        for path in [secrets, configfs] { _ = unsafe umount2(path, Int32(MNT_DETACH)) }
    }

    private static func failure(_ need: String) -> SimulatorError {
        SimulatorError("needs \(need): \(unsafe String(cString: strerror(errno)))")
    }
}
