// SPDX-License-Identifier: Apache-2.0
internal import CBoot
internal import FileIO
internal import Glibc
public import LUKS
public import PinKit

/// Recovers the passphrases of volumes by the bindings in their header copies: all of them in one walk, on a thread of its own,
/// and what was unavailable again, later and later.
///
/// Used by one thread, which polls ``descriptor`` and calls ``collect()``.
public final class KeyRing {
    /// What happened to a volume.
    public enum Event: Sendable {
        case opened(Int, UnlockedVolume)
        /// For good.
        case refused(Int, LUKSError)
        /// To be tried again, for the first time or not.
        case unavailable(Int, LUKSError, isFirst: Bool)
    }

    private enum Place {
        case untried
        case missing(LUKSError)
        case refused(LUKSError)
        case key(Key)
    }

    private final class Key: Sendable {
        let passphrase: SecretBytes
        init(_ passphrase: consuming SecretBytes) { self.passphrase = passphrase }
    }

    private enum Report: Sendable {
        case opened(Int, UnlockedVolume, Key)
        case failed(Int, LUKSError)
        case done
    }

    /// Seconds until another attempt: 1, 2, 4, 8, 8, …
    private static let longestPause = 8
    /// Seconds that pins have in one walk.
    private static let walkTime = 30

    private let volumes: [BootConfig.Volume]
    private let registry: PinRegistry
    private let measure: Unlocker.KeyMeasurement?
    private let reports = Mailbox<Report>()
    private let wake: Int32
    private var places: [Place]
    /// Whether pins are asked, or keys of volumes that opened are still to be measured.
    public private(set) var isWalking = false
    private var pause = 1
    private var next = Deadline.after(seconds: 0)

    /// nil where the kernel gives no descriptor. `measure` is called at the end of each walk, as ``Unlocker`` says.
    public init?(_ volumes: [BootConfig.Volume], registry: PinRegistry, measure: Unlocker.KeyMeasurement? = nil) {
        let wake = cvm_event()
        guard wake >= 0 else { return nil }
        self.volumes = volumes
        self.registry = registry
        self.measure = measure
        self.wake = wake
        self.places = volumes.map { _ in .untried }
    }

    /// Readable when there is something to collect.
    public var descriptor: Int32 { wake }

    /// Milliseconds until ``advance(_:)`` would begin another walk; nil while one is going on.
    public var millisecondsToNext: Int? { isWalking ? nil : next.millisecondsLeft }

    /// The refusal of a volume that stays closed; nil for one that may still open.
    public func refusal(of volume: Int) -> LUKSError? {
        if case .refused(let error) = places[volume] { error } else { nil }
    }

    /// Why a volume is not open yet.
    public func delay(of volume: Int) -> LUKSError? {
        if case .missing(let error) = places[volume] { error } else { nil }
    }

    /// Lends the passphrase of a volume; nil while there is none.
    public func withKey<R>(of volume: Int, _ body: (borrowing SecretBytes) -> R) -> R? {
        if case .key(let key) = places[volume] { body(key.passphrase) } else { nil }
    }

    /// Begins a walk when it is time to, and one of `wanted` is neither open nor refused: over all volumes of which that is
    /// true and whose header copies are there.
    public func advance(_ wanted: Set<Int>) {
        let open = wanted.filter(isOpen)
        guard !isWalking, !open.isEmpty, open.contains(where: isUntried) || next.hasPassed else { return }
        let asked = volumes.indices.filter { isOpen($0) && FileIO.exists(BootPaths.header(of: volumes[$0].name)) }
        for volume in open where !asked.contains(volume) {
            let header = BootPaths.header(of: volumes[volume].name)
            places[volume] = .missing(LUKSError(.unreadable, place: header, detail: "there is no copy of its header"))
        }
        guard !asked.isEmpty else { return waitForNext() }
        isWalking = start(asked)
        if !isWalking { waitForNext() }
    }

    /// What happened since the last call.
    public func collect() -> [Event] {
        var counter: UInt64 = 0
        _ = unsafe read(wake, &counter, MemoryLayout<UInt64>.size)
        var events: [Event] = []
        while let report = reports.next(before: .after(seconds: 0)) {
            if let event = take(report) { events.append(event) }
        }
        return events
    }

    private func isOpen(_ volume: Int) -> Bool {
        switch places[volume] {
        case .untried, .missing: true
        case .refused, .key: false
        }
    }

    private func isUntried(_ volume: Int) -> Bool {
        if case .untried = places[volume] { true } else { false }
    }

    private func take(_ report: Report) -> Event? {
        switch report {
        case .opened(let volume, let opened, let key):
            places[volume] = .key(key)
            return .opened(volume, opened)
        case .failed(let volume, let error) where error.code == .unavailable:
            defer { places[volume] = .missing(error) }
            return .unavailable(volume, error, isFirst: isUntried(volume))
        case .failed(let volume, let error):
            places[volume] = .refused(error)
            return .refused(volume, error)
        case .done:
            isWalking = false
            waitForNext()
            return nil
        }
    }

    private func waitForNext() {
        next = .after(seconds: pause)
        pause = min(2 * pause, KeyRing.longestPause)
    }

    private func start(_ asked: [Int]) -> Bool {
        let requests = asked.map { index in
            UnlockRequest(Volume(BootPaths.header(of: volumes[index].name)), trust: volumes[index].trust, mode: .test)
        }
        let unlocker = Unlocker(registry: registry, deadline: .after(seconds: KeyRing.walkTime), measure: measure)
        let (reports, wake) = (reports, wake)
        return startWorker {
            func tell(_ report: Report) {
                reports.post(report)
                var one: UInt64 = 1
                _ = unsafe write(wake, &one, MemoryLayout<UInt64>.size)
            }
            unlocker.unlock(requests) { place, outcome in
                switch consume outcome {
                case .opened(let volume, let passphrase): tell(.opened(asked[place], volume, Key(passphrase)))
                case .failed(let error): tell(.failed(asked[place], error))
                }
            }
            tell(.done)
        }
    }
}
