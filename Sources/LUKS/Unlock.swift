// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// One volume to open, and what is demanded of it.
public struct UnlockRequest: Sendable {
    public let volume: Volume
    public let trust: VolumeTrust
    public let mode: Mode

    public enum Mode: Sendable, Equatable {
        /// Only see whether it would open.
        case test
        /// Make `/dev/mapper/NAME`.
        case activate(name: String)
    }

    public init(_ volume: Volume, trust: VolumeTrust, mode: Mode) {
        self.volume = volume
        self.trust = trust
        self.mode = mode
    }
}

/// What became of one volume. With a success comes the passphrase that opened the keyslot.
public enum UnlockOutcome: ~Copyable {
    case opened(UnlockedVolume, SecretBytes)
    case failed(LUKSError)
}

/// A volume that opened, and by which binding.
public struct UnlockedVolume: Sendable, Equatable {
    public let volume: Volume
    public let uuid: String
    public let token: Int
    public let keyslot: Int
    public let policy: PolicyOutline
    /// Secrets for one use that could not be taken away afterwards.
    public let leftovers: [PinError]
}

/// Opens volumes by their bindings. In this order, for each: copy the header, validate it, check the owner's signature and what
/// the boot configuration demands; then walk the policies of all volumes at once, and hand what comes back to the copy.
public struct Unlocker: Sendable {
    private let registry: PinRegistry
    private let deadline: Deadline
    private let measure: KeyMeasurement?

    /// Told of the key of a volume that was opened, and of the name to measure it by: `cryptsetup:NAME:UUID`.
    public typealias KeyMeasurement = @Sendable (_ record: String, _ key: borrowing SecretBytes) -> Void

    /// Pins are asked until `deadline`. `measure` is called once all volumes are settled, in the order of the requests: so no
    /// pin of another volume finds a register changed, and its last value can be told beforehand.
    public init(registry: PinRegistry, deadline: Deadline, measure: KeyMeasurement? = nil) {
        self.registry = registry
        self.deadline = deadline
        self.measure = measure
    }

    public func unlock(_ request: UnlockRequest) throws(LUKSError) -> UnlockedVolume {
        try unlock([request])[0].get()
    }

    /// One result per request, in order. All policies are walked together: one report and one request serve all volumes.
    public func unlock(_ requests: [UnlockRequest]) -> [Result<UnlockedVolume, LUKSError>] {
        var results = requests.map { _ in Result<UnlockedVolume, LUKSError>.failure(LUKSError(.failed)) }
        unlock(requests) { index, outcome in
            switch consume outcome {
            case .opened(let volume, _): results[index] = .success(volume)
            case .failed(let error): results[index] = .failure(error)
            }
        }
        return results
    }

    /// The same, and calls `settled` exactly once for each index of `requests`, as soon as it is known.
    public func unlock(_ requests: [UnlockRequest], settled: (Int, consuming UnlockOutcome) -> Void) {
        let attempts = requests.map { Attempt($0, registry, isMeasured: measure != nil) }
        for (index, attempt) in attempts.enumerated() where attempt.candidates.isEmpty {
            settled(index, .failed(attempt.failure))
        }
        let asked = attempts.enumerated().flatMap { index, attempt in attempt.candidates.map { (index, $0) } }
        guard !asked.isEmpty else { return }
        PolicyWalk(registry: registry, deadline: deadline).recover(asked.map { $0.1.token.jwe }) { place, recovered in
            let (index, candidate) = asked[place]
            let attempt = attempts[index]
            if let outcome = attempt.take(recovered, for: candidate) { settled(index, outcome) }
            return attempts.allSatisfy(\.isSettled) ? .stop : .proceed
        }
        if let measure { for attempt in attempts { attempt.measure(measure) } }
    }
}

/// One volume on its way: its header copy, the bindings that passed the checks, and what became of each.
private final class Attempt {
    struct Candidate {
        let number: Int
        let token: ClevisToken
        let policy: PolicyOutline
    }

    let candidates: [Candidate]
    private let request: UnlockRequest
    private let registry: PinRegistry
    private let opening: Opening?
    /// Seen from the volume, which the result names once.
    private var failures: [LUKSError]
    private var unanswered: Int
    private var isOpen = false
    private let isMeasured: Bool
    private var key: Key?

    /// A volume key until it is measured; one owner, as a copy's below.
    private final class Key {
        let record: String
        let bytes: SecretBytes
        init(_ record: String, _ bytes: consuming SecretBytes) {
            self.record = record
            self.bytes = bytes
        }
    }

    /// What cannot be held in an optional constant otherwise: a copy has one owner.
    private final class Opening {
        let copy: HeaderCopy
        init(_ copy: consuming HeaderCopy) { self.copy = copy }
    }

    init(_ request: UnlockRequest, _ registry: PinRegistry, isMeasured: Bool) {
        self.request = request
        self.isMeasured = isMeasured
        self.registry = registry
        do throws(LUKSError) {
            let copy = try HeaderCopy(of: request.volume.path)
            try request.trust.check(copy.header)
            (candidates, failures) = Attempt.examine(copy.header, request, registry)
            opening = Opening(copy)
        } catch {
            (candidates, failures, opening) = ([], [error], nil)
        }
        unanswered = candidates.count
    }

    var isSettled: Bool { isOpen || unanswered == 0 }

    private static func examine(
        _ header: Header, _ request: UnlockRequest, _ registry: PinRegistry
    ) -> ([Candidate], [LUKSError]) {
        var candidates: [Candidate] = []
        var failures: [LUKSError] = []
        for (number, json) in header.tokens.sorted(by: { $0.key < $1.key }) {
            do throws(LUKSError) {
                guard let token = try ClevisToken(json) else { continue }
                try request.trust.check(token, in: header, registry: registry)
                let policy = try PolicyOutline(of: token.jwe, registry: registry)
                candidates.append(Candidate(number: number, token: token, policy: policy))
            } catch {
                failures.append(error.at("token \(number)"))
            }
        }
        return (candidates, failures)
    }

    /// What became of the volume, once that is settled.
    func take(_ recovered: consuming Recovered, for candidate: Candidate) -> UnlockOutcome? {
        unanswered -= 1
        guard !isOpen, let opening else { return nil }
        let place = "token \(candidate.number)"
        do {
            let passphrase = try recovered.get()
            if let volume = try open(opening.copy, candidate, with: passphrase) {
                isOpen = true
                return .opened(volume, passphrase)
            }
            failures.append(
                LUKSError(.refused, place: place, step: "open", detail: "its secret does not open its keyslot any more"))
        } catch let error as PinError {
            failures.append(LUKSError(error).at(place))
        } catch let error as LUKSError {
            failures.append(error.at(place))
        } catch {
            failures.append(LUKSError(.failed, place: place))
        }
        return unanswered == 0 ? .failed(failure) : nil
    }

    private func open(
        _ copy: borrowing HeaderCopy, _ candidate: Candidate, with passphrase: borrowing SecretBytes
    ) throws(LUKSError) -> UnlockedVolume? {
        let path = request.volume.path
        let device = try copy.makeDevice(data: request.mode == .test ? nil : path)
        for keyslot in candidate.token.keyslots where try device.opens(keyslot, with: passphrase) {
            if isMeasured {
                let record = "cryptsetup:\(name):\(copy.header.uuid)"
                key = Key(record, try device.volumeKey(keyslot, with: passphrase))
            }
            var leftovers: [PinError] = []
            if case .activate(let name) = request.mode {
                try device.activate(as: name, keyslot, with: passphrase)
                leftovers = registry.forget(candidate.token.jwe)
            }
            return UnlockedVolume(
                volume: request.volume, uuid: copy.header.uuid, token: candidate.number, keyslot: keyslot,
                policy: candidate.policy, leftovers: leftovers)
        }
        return nil
    }

    /// A name has no colon in it (``BootConfig``), so the record is read in one way only.
    private var name: String {
        if case .activate(let name) = request.mode { name } else { request.trust.name ?? "" }
    }

    /// Nothing for a volume that stayed closed. The key is gone afterwards.
    func measure(_ measure: Unlocker.KeyMeasurement) {
        if isOpen, let key { measure(key.record, key.bytes) }
        key = nil
    }

    /// Why it stays closed.
    var failure: LUKSError {
        let path = request.volume.path
        guard let first = failures.first else {
            return LUKSError(.notBound, place: path, detail: "it has no token of type clevis")
        }
        guard failures.count > 1 else { return first.place.hasPrefix(path) ? first : first.at(path) }
        // What may change by itself is worth another attempt, whatever else failed.
        let code = failures.contains { $0.code == .unavailable } ? .unavailable : first.code
        let reasons = failures.map(\.description).joined(separator: "; ")
        return LUKSError(code, place: path, step: "no binding opens it", detail: reasons)
    }
}
