// SPDX-License-Identifier: Apache-2.0
internal import FileIO
internal import Glibc
internal import PinKit

extension Store {
    /// Seals every resource with `newest` that is sealed with one of `others`: all or, where one does not open, none. Returns how
    /// many that were.
    func rekey(from others: [ResourceSealer], to newest: ResourceSealer) throws(BrokerError) -> Int {
        try write("seal the resources anew") { transaction in
            let rows = try transaction.rows("SELECT path FROM resource WHERE key_id <> ?1", [newest.keyID])
            for row in rows {
                let path = try ResourcePath(row.text("path"))
                guard let (resource, sealed) = try Store.resource(path, transaction),
                    let sealer = others.first(where: { $0.keyID == resource.keyID }),
                    let content = sealer.open(sealed, of: resource)
                else {
                    throw BrokerError(
                        "\(path) is damaged, or sealed with a key that is not here: nothing was changed",
                        hint: "see its key with: cvm-clevis-broker resource get-info DIR \(path) --json")
                }
                let again = try newest.seal(content, at: path, owner: resource.owner, policy: resource.policy)
                try transaction.rows(
                    "UPDATE resource SET sealed = ?2, key_id = ?3 WHERE path = ?1",
                    [path.text, Base64URL.encode(again), newest.keyID])
            }
            return rows.count
        }
    }
}

extension BrokerDirectory {
    /// Makes a new resource key and seals all resources with it; returns how many. What serves has to be started again.
    ///
    /// The new key is in a file beside the old one until the store has changed, so that an interruption loses neither: then it is
    /// begun again.
    public func rekey() throws(BrokerError) -> Int {
        let store = try Store(in: self)
        let next = resourceKey + ".next"
        let newest = ResourceSealer(try BrokerKeys.sealer(next))
        let count = try store.rekey(from: [resourceSealer()], to: newest)
        guard unsafe rename(next, resourceKey) == 0 else {
            throw BrokerError("cannot replace \(resourceKey)", hint: "run rekey again")
        }
        return count
    }
}
