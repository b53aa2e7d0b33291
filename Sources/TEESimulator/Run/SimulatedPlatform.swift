// SPDX-License-Identifier: Apache-2.0

/// Which platform to pretend to be, and what goes wrong there.
public struct SimulatedPlatform: Sendable {
    /// nil is a machine without a TEE: configfs-tsm is there, and no driver has registered with it.
    public var snp: SNPSettings?
    public var fault: Fault?

    public init(snp: SNPSettings?, fault: Fault? = nil) {
        self.snp = snp
        self.fault = fault
    }

    /// Runs `command` (looked up in PATH) on this platform and returns its exit status, 128 + n for one that signal n ended.
    /// Standard streams are the command's; signals sent to this process are passed on. A process calls this once.
    public func run(_ command: [String]) throws(SimulatorError) -> Int32 {
        // Before there is a second thread, so that it does not take the signals.
        let signals = SignalSet.forwarded()
        try enter()
        defer { MountNamespace.leave() }
        return try ChildProcess(command, unblocking: signals).wait()
    }

    /// From here on, for this thread and the threads and processes it starts, `/sys/kernel/config/tsm/report` is this platform's.
    /// There is no way back: a thread enters once, and a second thread answers until the process ends.
    package func enter() throws(SimulatorError) {
        let tree = TSMTree(provider: try provider(), races: fault == .generationRace)
        try MountNamespace.enter()
        try TSMFileSystem(tree, at: MountNamespace.configfs).serve()
    }

    private func provider() throws(SimulatorError) -> (any TSMProvider)? {
        guard var settings = snp else { return nil }
        fault?.apply(to: &settings)
        return SNPProvider(platform: try SimulatedSNP(settings), fault: fault)
    }
}
