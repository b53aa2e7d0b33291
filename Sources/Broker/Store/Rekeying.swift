// SPDX-License-Identifier: Apache-2.0
internal import FileIO
internal import Glibc
internal import PinKit

extension Store {
    /// Seals every key and every resource with `newest` that is sealed with one of `others`: all or, where one does not open,
    /// none. Returns how many that were.
    func rekey(from others: [Sealer], to newest: Sealer) throws(BrokerError) -> (keys: Int, resources: Int) {
        try write("seal the store anew") { transaction in
            let keys = try KeyTable.all(transaction).filter { !$0.isRetired && $0.sealerID != newest.id }
            for key in keys { try KeyTable.put(key.resealed(others, by: newest), transaction) }
            let rows = try transaction.rows("SELECT path FROM resource WHERE key_id <> ?1", [newest.id])
            for row in rows { try Store.reseal(ResourcePath(row.text("path")), others, newest, transaction) }
            return (keys.count, rows.count)
        }
    }

    private static func reseal(
        _ path: ResourcePath, _ others: [Sealer], _ newest: Sealer, _ transaction: any Transaction
    ) throws {
        guard let (resource, sealed) = try Store.resource(path, transaction),
            let sealer = others.first(where: { $0.id == resource.keyID }),
            let content = ResourceSealer(sealer).open(sealed, of: resource)
        else {
            throw BrokerError(
                "\(path) is damaged, or sealed with a key that is not here: nothing was changed",
                hint: "see its key with: cvm-clevis-broker resource get-info DIR \(path) --json")
        }
        let again = try ResourceSealer(newest).seal(content, at: path, owner: resource.owner, policy: resource.policy)
        try transaction.rows(
            "UPDATE resource SET sealed = ?2, key_id = ?3 WHERE path = ?1", [path.text, Base64URL.encode(again), newest.id])
    }
}

extension BrokerDirectory {
    /// Makes a new resource key, and seals all keys and resources in the store with it; returns how many.
    ///
    /// The new key is in a file beside the old one until the store has changed, so that an interruption loses neither: then it is
    /// begun again. What serves from this directory tries both meanwhile.
    public func rekey(now: Int64) throws(BrokerError) -> (keys: Int, resources: Int) {
        let store = try Store(in: self)
        _ = try firstKeys(in: store, at: now)
        if !FileIO.exists(nextResourceKey) { try KeyFile.createSealer(nextResourceKey, owner: resourceKey) }
        let newest = try KeyFile.sealer(nextResourceKey)
        let done = try store.rekey(from: resourceSealers(), to: newest)
        guard unsafe rename(nextResourceKey, resourceKey) == 0 else {
            throw BrokerError("cannot replace \(resourceKey)", hint: "run rekey again")
        }
        return done
    }
}
