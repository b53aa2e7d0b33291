// SPDX-License-Identifier: Apache-2.0
internal import FileIO
internal import PinKit

extension BrokerDirectory {
    /// The file in which an earlier version kept the key of a purpose. It is read once, and not changed.
    func formerFile(of purpose: KeyPurpose) -> String {
        switch purpose {
        case .envelope: "\(path)/envelope.jwk"
        case .token: "\(path)/token.pem"
        case .cookie: "\(path)/session.key"
        case .nonce: "\(path)/nonce.key"
        case .tls: "\(path)/tls-key.pem"
        }
    }

    /// The keys in the store, which gets those that it lacks: from files of an earlier version, or new ones.
    func firstKeys(in store: Store, at now: Int64) throws(BrokerError) -> [StoredKey] {
        let stored = try store.keys()
        if stored.isEmpty, !FileIO.exists(resourceKey) { try KeyFile.createSealer(resourceKey) }
        let sealer = try resourceSealers()[0]
        guard try !missingKeys(stored, sealedBy: sealer, at: now).isEmpty else { return stored }
        return try store.addKeys { try missingKeys($0, sealedBy: sealer, at: now) }
    }

    /// What `stored` lacks. An envelope key in a file is always taken in: replicas of earlier versions may have had one each, and
    /// bindings to all of them. A TLS key is made for `host` only, if at all.
    func missingKeys(
        _ stored: [StoredKey], sealedBy sealer: Sealer, host: String? = nil, at now: Int64
    ) throws(BrokerError) -> [StoredKey] {
        var missing: [StoredKey] = []
        for purpose in KeyPurpose.allCases {
            let present = stored.filter { $0.purpose == purpose }
            guard present.isEmpty || purpose == .envelope else { continue }
            if let former = try formerKey(purpose, sealedBy: sealer, at: now) {
                if !present.contains(where: { $0.id == former.id }) { missing.append(former) }
            } else if present.isEmpty, purpose != .tls || host != nil {
                missing.append(try makeKey(purpose, host: host ?? "", sealedBy: sealer, at: now, activeAt: now))
            }
        }
        return missing
    }

    func makeKey(
        _ purpose: KeyPurpose, host: String, sealedBy sealer: Sealer, at now: Int64, activeAt: Int64
    ) throws(BrokerError) -> StoredKey {
        do {
            return try StoredKey.made(purpose, host: host, sealedBy: sealer, at: now, activeAt: activeAt)
        } catch let error as BrokerError {
            throw error
        } catch {
            throw BrokerError("cannot make a key: \(error)")
        }
    }

    /// The key in a file of an earlier version; it comes before all others.
    func formerKey(_ purpose: KeyPurpose, sealedBy sealer: Sealer, at now: Int64) throws(BrokerError) -> StoredKey? {
        let file = formerFile(of: purpose)
        guard FileIO.exists(file) else { return nil }
        var content = try KeyFile.readSecret(file)
        if purpose == .tls {
            content = content.appending(SecretBytes(copyingPublic: Array(try KeyFile.readText(tlsCertificate).utf8)))
        }
        do {
            return try StoredKey(purpose, content, sealedBy: sealer, at: now, activeAt: 0)
        } catch {
            throw BrokerError("\(file): \(error)")
        }
    }
}
