// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// The keys of the store, opened, with when each is used.
struct KeySet: Sendable {
    private let envelopes: KeySeries<AgreementKey>
    private let tokens: KeySeries<SigningKey>
    private let cookies: KeySeries<Sealer>
    private let nonces: KeySeries<NonceSealer>
    private let tls: [TLSKey]
    /// Seals resources.
    private let resources: Sealer

    /// `sealers`: the resource keys that there are, the current one first.
    init(_ stored: [StoredKey], _ sealers: [Sealer]) throws(BrokerError) {
        guard let current = sealers.first else { throw BrokerError("there is no resource key") }
        resources = current
        envelopes = try KeySeries(.envelope, stored) { key in try AgreementKey(jwk: key.open(sealers)) }
        tokens = try KeySeries(.token, stored) { key in try SigningKey(pem: key.open(sealers)) }
        cookies = try KeySeries(.cookie, stored) { key in try Sealer(key: key.open(sealers)) }
        nonces = try KeySeries(.nonce, stored) { key in
            guard let sealer = NonceSealer(key: try key.open(sealers)) else { throw BrokerError("it has another length") }
            return sealer
        }
        var tls: [TLSKey] = []
        // The newest is last, where it waits for those before to be retired.
        for key in stored.reversed() where key.purpose == .tls && !key.isRetired {
            tls.append(try TLSKey(key.open(sealers)))
        }
        self.tls = tls
    }

    /// The keys as they are at `now`.
    func keys(at now: Int64, audit: SigningKey) -> BrokerKeys {
        BrokerKeys(
            envelopes: envelopes.generations(at: now), nonces: nonces.generations(at: now),
            sessions: cookies.generations(at: now), tokens: tokens.generations(at: now), tls: tls, resources: resources,
            audit: audit)
    }
}

/// The keys of one purpose, the newest first; one at least.
private struct KeySeries<Key: Sendable>: Sendable {
    private let purpose: KeyPurpose
    private let keys: [(key: Key, activeAt: Int64)]

    init(_ purpose: KeyPurpose, _ stored: [StoredKey], _ open: (StoredKey) throws -> Key) throws(BrokerError) {
        self.purpose = purpose
        var keys: [(key: Key, activeAt: Int64)] = []
        for key in stored where key.purpose == purpose && !key.isRetired {
            do {
                keys.append((try open(key), key.activeAt))
            } catch let error as BrokerError {
                throw error
            } catch {
                throw BrokerError("the store's \(purpose.rawValue) key \(key.id): \(error)")
            }
        }
        guard !keys.isEmpty else { throw BrokerError("the store has no \(purpose.rawValue) key") }
        self.keys = keys
    }

    func generations(at now: Int64) -> KeyGenerations<Key> {
        let times = keys.map(\.activeAt)
        let place = KeyTiming.current(of: times, at: now)
        let others = (0...KeyTiming.last(of: times, purpose, at: now)).filter { $0 != place }
        return KeyGenerations(current: keys[place].key, others: others.map { keys[$0].key })
    }
}

/// Which of several keys is which, by when each is used: times of use, the latest first; one at least.
enum KeyTiming {
    /// Where the key is that new things are made with.
    static func current(of times: [Int64], at now: Int64) -> Int {
        times.firstIndex { $0 <= now } ?? times.count - 1
    }

    /// Where the last key is that still opens what it made.
    static func last(of times: [Int64], _ purpose: KeyPurpose, at now: Int64) -> Int {
        guard let overlap = purpose.overlap else { return times.count - 1 }
        // A key is over when the one after it has been in use for that long.
        let over = times.firstIndex { $0 <= now - overlap }
        return over ?? times.count - 1
    }
}
