// SPDX-License-Identifier: Apache-2.0
import Glibc

/// What systemd says in the environment, read before that is cleared.
struct Inherited {
    /// The socket that the program was started for: the first and only descriptor after the standard ones.
    let listener: Int32?
    /// Standard error goes to the journal, which a machine that is switched off takes with it.
    let hasJournal: Bool

    init() {
        let isOurs = Inherited.number("LISTEN_PID") == Int(getpid()) && Inherited.number("LISTEN_FDS") == 1
        listener = isOurs && Inherited.isListening(3) ? 3 : nil
        hasJournal = unsafe getenv("JOURNAL_STREAM") != nil
        guard listener != nil else { return }
        _ = fcntl(3, F_SETFD, FD_CLOEXEC)
        _ = fcntl(3, F_SETFL, O_NONBLOCK)
    }

    private static func number(_ name: String) -> Int? { unsafe getenv(name).flatMap { unsafe Int(String(cString: $0)) } }

    private static func isListening(_ descriptor: Int32) -> Bool {
        var answer: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return unsafe getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &answer, &length) == 0 && answer == 1
    }
}
