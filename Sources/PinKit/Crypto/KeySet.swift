// SPDX-License-Identifier: Apache-2.0
internal import CJose

/// A set of public keys (RFC 7517 §5) of any kind that libjose knows.
package struct KeySet: Sendable {
    /// Which digest names a key (RFC 7638); the raw value is libjose's name of it.
    package enum Thumbprint: String, Sendable {
        case sha1 = "S1"
        case sha256 = "S256"

        /// The digest that a text of this length may be of.
        package init?(of text: String) {
            switch text.utf8.count {
            case 27: self = .sha1
            case 43: self = .sha256
            default: return nil
            }
        }
    }

    /// The set as it was written, with whatever else it holds.
    package let json: JSON
    package let keys: [JSON]

    /// At most `limit` keys.
    package init(_ json: JSON, limit: Int, at place: String = "") throws(JSONError) {
        var reader = try JSONReader(json, at: place)
        keys = try reader.array("keys")
        guard (1...limit).contains(keys.count) else {
            throw reader.error(at: "keys", "must hold from 1 to \(limit) keys, not \(keys.count)")
        }
        guard keys.allSatisfy({ $0.object != nil }) else { throw reader.error(at: "keys", "must hold objects only") }
        self.json = json
    }

    /// The keys that say by themselves (`key_ops` or `use`) that they are meant for `operation`.
    package func keys(for operation: String) -> [JSON] {
        keys.filter { key in unsafe key.withTree { unsafe jose_jwk_prm(nil, $0, true, operation) } }
    }

    /// nil for a key that libjose does not know.
    package static func thumbprint(of key: JSON, _ hash: Thumbprint) -> String? {
        // What a tang server has; to know one again takes nothing of libjose.
        if hash == .sha256, let point = try? CurvePoint(jwk: key) { return point.thumbprint }
        return unsafe key.withTree { tree in
            guard let text = unsafe jose_jwk_thp(nil, tree, hash.rawValue) else { return nil }
            defer { unsafe json_decref(text) }
            return unsafe json_string_value(text).map { unsafe String(cString: $0) }
        }
    }

    /// Whether each of `keys` has signed `message`, a JWS in general or flattened form (RFC 7515 §7.2). False for no keys.
    package static func all(_ keys: [JSON], signed message: JSON) -> Bool {
        guard !keys.isEmpty else { return false }
        let quiet = unsafe cvm_jose_quiet()
        defer { unsafe jose_cfg_decref(quiet) }
        return unsafe message.withTree { message in
            unsafe JSON.array(keys).withTree { unsafe jose_jws_ver(quiet, message, nil, $0, true) }
        }
    }
}

extension JSON {
    fileprivate func withTree<R>(_ body: (UnsafeMutablePointer<json_t>) -> R) -> R {
        let tree = unsafe makeTree()
        defer { unsafe json_decref(tree) }
        return unsafe body(tree)
    }
}
