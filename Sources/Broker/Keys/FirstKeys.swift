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
    /// bindings to all of them.
    func missingKeys(
        _ stored: [StoredKey], sealedBy sealer: Sealer, at now: Int64
    ) throws(BrokerError) -> [StoredKey] {
        var missing: [StoredKey] = []
        for purpose in KeyPurpose.allCases {
            let present = stored.filter { $0.purpose == purpose }
            guard present.isEmpty || purpose.binds else { continue }
            if let former = try formerKey(purpose, sealedBy: sealer, at: now) {
                if !present.contains(where: { $0.id == former.id }) { missing.append(former) }
            } else if present.isEmpty {
                missing.append(
                    try BrokerError.wrapping("cannot make a key") { () throws(PinError) in
                        try StoredKey.made(purpose, sealedBy: sealer, at: now, activeAt: now)
                    })
            }
        }
        return missing
    }

    /// The key in a file of an earlier version; it comes before all others.
    private func formerKey(
        _ purpose: KeyPurpose, sealedBy sealer: Sealer, at now: Int64
    ) throws(BrokerError) -> StoredKey? {
        let file = formerFile(of: purpose)
        guard FileIO.exists(file) else { return nil }
        let content = try KeyFile.readSecret(file)
        return try BrokerError.wrapping(file) { () throws(PinError) in
            try StoredKey(purpose, content, sealedBy: sealer, at: now, activeAt: 0)
        }
    }
}
