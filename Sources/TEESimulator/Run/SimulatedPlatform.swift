// SPDX-License-Identifier: Apache-2.0

/// The kind of platform to pretend to be.
public enum SimulatedTEE: Sendable {
    /// A machine without a TEE, or an SEV guest, which has no reports: configfs-tsm is there, and no driver has registered with
    /// it.
    case none
    case snp(SNPSettings)
    case tdx(TDXSettings)
}

/// Which platform to pretend to be, and what goes wrong there.
public struct SimulatedPlatform: Sendable {
    public var tee: SimulatedTEE
    public var fault: Fault?
    /// What an owner had put into the guest's memory; nil where the kernel has no directory for it.
    public var secrets: [SimulatedSecret]?

    public init(_ tee: SimulatedTEE, fault: Fault? = nil, secrets: [SimulatedSecret]? = nil) {
        self.tee = tee
        self.fault = fault
        self.secrets = secrets
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

    /// From here on, for this thread and the threads and processes it starts, `/sys/kernel/config/tsm/report` is this
    /// platform's. There is no way back: a thread enters once, and a second thread answers until the process ends.
    package func enter() throws(SimulatorError) {
        let tree = TSMTree(provider: try provider(), races: fault == .generationRace)
        try MountNamespace.enter()
        if case .tdx(let settings) = tee { try MountNamespace.show(eventLog: SimulatedTDX(settings).eventLog) }
        try TSMFileSystem(tree, at: MountNamespace.configfs).serve()
        guard let secrets else { return }
        try MountNamespace.makeSecretDirectory()
        try SecretFileSystem(secrets, at: MountNamespace.secrets).serve()
    }

    private func provider() throws(SimulatorError) -> (any TSMProvider)? { try chip()?.driver }

    /// The chip and the driver over it; nil for a platform without evidence.
    func chip() throws(SimulatorError) -> (chip: any SimulatedChip, driver: SimulatedDriver)? {
        if let fault, !fault.isPossible(on: tee) { throw SimulatorError("this fault is none of that platform's") }
        let chip: any SimulatedChip
        switch tee {
        case .none: return nil
        case .snp(var settings):
            fault?.apply(to: &settings)
            chip = try SimulatedSNP(settings)
        case .tdx(var settings):
            fault?.apply(to: &settings)
            chip = try SimulatedTDX(settings)
        }
        return (chip, SimulatedDriver(chip, fault: fault))
    }
}
