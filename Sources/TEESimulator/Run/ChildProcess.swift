// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// The command that runs on the simulated platform.
struct ChildProcess {
    private let identifier: pid_t
    private let signals: SignalSet

    /// Starts `command` with this process's streams, environment and directory, and the signal mask it had before `signals`
    /// were blocked.
    init(_ command: [String], unblocking signals: SignalSet) throws(SimulatorError) {
        guard let program = command.first else { throw SimulatorError("no command to run") }
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var mask = signals.previous
        unsafe posix_spawnattr_setsigmask(&attributes, &mask)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))

        var arguments: [UnsafeMutablePointer<CChar>?] = unsafe command.map { unsafe strdup($0) } + [nil]
        defer { unsafe arguments.forEach { unsafe free($0) } }
        var child: pid_t = 0
        let status = unsafe posix_spawnp(&child, program, nil, &attributes, &arguments, environ)
        guard status == 0 else {
            throw SimulatorError("cannot run \(program): \(unsafe String(cString: strerror(status)))")
        }
        self.identifier = child
        self.signals = signals
    }

    /// Passes signals on until the command has ended, then its exit status, or 128 and the number of the signal that ended it.
    func wait() -> Int32 {
        while true {
            var information = unsafe siginfo_t()
            var set = signals.set
            let signal = unsafe sigwaitinfo(&set, &information)
            if signal == SIGCHLD {
                var status: Int32 = 0
                guard unsafe waitpid(identifier, &status, WNOHANG) == identifier else { continue }
                let ending = status & 0x7f
                return ending == 0 ? status >> 8 & 0xff : 128 + ending
            }
            // What the terminal sends (a positive code) the command has got itself, being in the same process group.
            if signal > 0, unsafe information.si_code <= 0 { kill(identifier, signal) }
        }
    }
}

/// Signals that are blocked so that they can be waited for.
struct SignalSet {
    let set: sigset_t
    /// What was blocked before.
    let previous: sigset_t

    /// Blocks, for this thread and those it starts, what a person or a service manager sends to a program, and SIGCHLD.
    static func forwarded() -> SignalSet {
        // Ignored by whoever started us, it would never be told.
        _ = signal(SIGCHLD, SIG_DFL)
        var set = sigset_t()
        var previous = sigset_t()
        unsafe sigemptyset(&set)
        for signal in [SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2] { unsafe sigaddset(&set, signal) }
        unsafe pthread_sigmask(SIG_BLOCK, &set, &previous)
        return SignalSet(set: set, previous: previous)
    }
}
