// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Synchronization

/// The process groups of programs that run now. None outlives this program, be it that a policy was met without them, or
/// that somebody pressed Ctrl-C: they are in sessions of their own, where no terminal's signal reaches them.
public enum RunningGroups {
    /// Whether programs may be started; held while one is, so that none is missed.
    private static let isOpen = Mutex(true)
    private static let table = GroupTable()
    private static let exitHandlers: Void = installExitHandlers()

    /// Kills them all; from now on none is started. Done by itself at `exit()`; who ends a program with `_exit()` calls this.
    public static func end() {
        isOpen.withLock { isOpen in
            isOpen = false
            table.kill()
        }
    }

    /// Installs what ends them with this program, for a program that wants its own signal handlers to run before.
    public static func installHandlers() { _ = exitHandlers }

    /// Starts a program with `spawn`, whose result leads a process group.
    static func start(_ spawn: () throws(SystemError) -> pid_t) throws(SystemError) -> pid_t {
        _ = exitHandlers
        return try isOpen.withLock { (isOpen: inout Bool) throws(SystemError) -> pid_t in
            guard isOpen else { throw SystemError("this program is ending", EINTR) }
            return try table.add(spawn)
        }
    }

    static func forget(_ group: pid_t) { table.remove(group) }

    private static func installExitHandlers() {
        // Makes the table, which a handler could not.
        table.kill()
        atexit { RunningGroups.end() }
        for number in [SIGHUP, SIGINT, SIGTERM] {
            var action = sigaction()
            // One that is ignored stays ignored, and a program's own handler stays.
            guard unsafe sigaction(number, nil, &action) == 0, unsafe action.__sigaction_handler.sa_handler == nil else {
                continue
            }
            signal(number) { number in
                RunningGroups.table.kill()
                signal(number, SIG_DFL)
                raise(number)
            }
        }
    }
}

/// Numbers in memory that a signal handler may read at any moment, and so without a lock.
private struct GroupTable: ~Copyable, Sendable {
    /// More than a walk has leaves. 0 is a free place.
    private let groups = InlineArray<128, Atomic<pid_t>> { _ in Atomic(0) }

    /// Called by one thread at a time.
    func add(_ start: () throws(SystemError) -> pid_t) throws(SystemError) -> pid_t {
        guard let free = groups.indices.first(where: { groups[$0].load(ordering: .relaxed) == 0 }) else {
            throw SystemError("start another program", EAGAIN)
        }
        let group = try start()
        groups[free].store(group, ordering: .releasing)
        return group
    }

    func remove(_ group: pid_t) {
        for index in groups.indices {
            _ = groups[index].compareExchange(expected: group, desired: 0, ordering: .releasing)
        }
    }

    /// Ends them all, and collects the leaders, since not every system has somebody who does so later. Uses nothing that a
    /// signal handler may not.
    func kill() {
        for index in groups.indices {
            let group = groups[index].load(ordering: .acquiring)
            if group != 0 { Glibc.kill(-group, SIGKILL) }
        }
        var pause = timespec(tv_sec: 0, tv_nsec: 1_000_000)
        for index in groups.indices {
            let group = groups[index].load(ordering: .acquiring)
            // One that is stuck in the kernel is not waited for longer than this.
            var patience = 100
            while group != 0, patience > 0, waitpid(group, nil, WNOHANG) == 0 {
                unsafe nanosleep(&pause, nil)
                patience -= 1
            }
        }
    }
}
