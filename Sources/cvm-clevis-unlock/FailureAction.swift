// SPDX-License-Identifier: Apache-2.0
import BootFronts
import CBoot
import FileIO
import Glibc
import LUKS

/// What happens when a volume stays closed: a line that says why and what comes next, and then that (docs/spec/boot.md §6).
struct FailureAction {
    private let isActing: Bool
    private let hasJournal: Bool

    init(_ arguments: Arguments, _ inherited: Inherited) {
        // A running system is not switched off because of a volume that it could do without.
        isActing = (arguments.isActing || arguments.verb == .act) && FileIO.exists(BootPaths.initrdRelease)
        hasJournal = inherited.hasJournal
    }

    /// Says what became of a volume. What keeps it from opening is on the console once, where somebody may be waiting.
    func tell(_ event: KeyRing.Event, _ configuration: BootConfig) {
        switch event {
        case .opened(let volume, let opened):
            let binding = "token \(opened.token), keyslot \(opened.keyslot)"
            Console.say("\(configuration.volumes[volume].name): key recovered by \(opened.policy) (\(binding))")
        case .unavailable(let volume, let error, let isFirst):
            let line = "\(configuration.volumes[volume].name): will be tried again: \(error)"
            if isFirst && isActing { say(line) } else { Console.say(line) }
        case .refused:
            // Said together with what happens next.
            break
        }
    }

    /// Says why `volume` stayed closed, and does not return where that ends the boot.
    func closed(_ volume: BootConfig.Volume, because reason: some CustomStringConvertible) {
        guard isActing else { return Console.say("\(volume.name): \(reason)") }
        let next =
            switch volume.onFailure {
            case .poweroff: "the machine goes off"
            case .prompt: "a passphrase may be typed"
            case .shell: "a passphrase may be typed, and a shell may follow"
            }
        say("\(volume.name) stays closed: \(reason): \(next)")
        if volume.onFailure == .poweroff { powerOff() }
    }

    /// Without a configuration nobody said that there may be a prompt.
    func unconfigured() {
        guard isActing else { return }
        say("no volume is opened without a boot configuration: the machine goes off")
        powerOff()
    }

    /// Before a shell: switches the machine off unless every volume of `configuration` allows one.
    func beforeShell(_ configuration: BootConfig) {
        guard isActing, let strict = configuration.volumes.first(where: { $0.onFailure != .shell }) else { return }
        say("\(strict.name) allows no shell: the machine goes off")
        powerOff()
    }

    /// The journal is lost with the machine, and the console is what the host's owner sees.
    private func say(_ line: String) {
        Console.say(line)
        guard hasJournal else { return }
        Console.sayOnScreen(line)
    }

    private func powerOff() {
        _ = cvm_power_off()
        let reason = unsafe String(cString: strerror(errno))
        Console.say("error: the machine could not be switched off: \(reason)")
        _exit(1)
    }
}
