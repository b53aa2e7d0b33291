// SPDX-License-Identifier: Apache-2.0
internal import CJose
internal import COpenSSL

/// A one-time private key for Diffie and Hellman's exchange, or for McCallum and Relyea's, which hides from a server what it
/// helps to compute. Overwritten when it goes away.
package struct OneTimeKey: ~Copyable {
    private let key: PointTree
    package let publicPoint: CurvePoint

    private init(key: consuming PointTree, publicPoint: CurvePoint) {
        self.key = key
        self.publicPoint = publicPoint
    }

    package static func generate(on curve: CurvePoint.Curve) throws(PinError) -> OneTimeKey {
        let key = try PointTree(generatingOn: curve)
        let point = try key.publicPoint()
        return OneTimeKey(key: key, publicPoint: point)
    }

    /// d·`point`. `.refused` when that is not on the curve of this key.
    package func multiply(_ point: CurvePoint) throws(PinError) -> SecretPoint {
        SecretPoint(tree: try PointTree.exchange(key, PointTree(point)), curve: point.curve)
    }

    /// `point` + d·G: looks random to whoever does not know d.
    package func blind(_ point: CurvePoint) throws(PinError) -> CurvePoint {
        try PointTree.exchange(PointTree(point), key).publicPoint()
    }
}

/// A point that two have agreed on. Overwritten when it goes away.
package struct SecretPoint: ~Copyable {
    private let tree: PointTree
    private let curve: CurvePoint.Curve

    fileprivate init(tree: consuming PointTree, curve: CurvePoint.Curve) {
        self.tree = tree
        self.curve = curve
    }

    /// `point` minus this. `.refused` when that is not on this curve.
    package func subtracted(from point: CurvePoint) throws(PinError) -> SecretPoint {
        SecretPoint(tree: try PointTree.exchange(PointTree(point), tree), curve: curve)
    }

    /// The A256GCM key of ECDH-ES in direct mode (RFC 7518 §4.6.2) without apu and apv: Concat KDF over the x-coordinate.
    func contentKey() throws(PinError) -> SecretBytes {
        let shared = try tree.x(count: curve.length)
        // AlgorithmID with its length, PartyUInfo and PartyVInfo (empty), SuppPubInfo: 256 bits.
        let info: [UInt8] = [0, 0, 0, 7] + Array("A256GCM".utf8) + [0, 0, 0, 0] + [0, 0, 0, 0] + [0, 0, 1, 0]
        return try unsafe SecretBytes(count: 32) { (key) throws(PinError) in
            let done = unsafe shared.withUnsafeBytes { bytes in
                unsafe cvm_concat_kdf(bytes.baseAddress, bytes.count, info, info.count, key.baseAddress)
            }
            guard done == 1 else { throw PinError(.failed, step: "Concat KDF", detail: opensslReason()) }
        }
    }
}

/// A point or a key as the JWK tree that libjose computes with. Any of them may be a secret, so all are overwritten.
///
/// Not private: release builds of other modules destroy what holds one, and would not find a private type's metadata.
@safe struct PointTree: ~Copyable {
    private let tree: UnsafeMutablePointer<json_t>

    init(_ point: CurvePoint) {
        unsafe tree = point.jwk.makeTree()
        setAlgorithm()
    }

    init(generatingOn curve: CurvePoint.Curve) throws(PinError) {
        let template: JSON = ["crv": .string(curve.rawValue), "kty": "EC"]
        unsafe tree = template.makeTree()
        guard unsafe jose_jwk_gen(nil, tree) else {
            throw PinError(.failed, step: "generate a \(curve.rawValue) key", detail: "libjose gave no reason")
        }
        setAlgorithm()
    }

    private init(adopting tree: UnsafeMutablePointer<json_t>) {
        unsafe self.tree = tree
        setAlgorithm()
    }

    deinit {
        for name in ["d", "x", "y"] { unsafe wipeMember(name, of: tree) }
        unsafe json_decref(tree)
    }

    /// libjose's ECMR: multiplies where `local` has a private part, adds where only `remote` has one, and otherwise subtracts
    /// `remote`. It checks that both are on the curve.
    static func exchange(_ local: borrowing PointTree, _ remote: borrowing PointTree) throws(PinError) -> PointTree {
        let quiet = unsafe cvm_jose_quiet()
        defer { unsafe jose_cfg_decref(quiet) }
        guard let result = unsafe jose_jwk_exc(quiet, local.tree, remote.tree) else {
            throw PinError(.refused, step: "exchange keys", detail: "a point is not on the curve")
        }
        return unsafe PointTree(adopting: result)
    }

    func publicPoint() throws(PinError) -> CurvePoint {
        var members = JSONObject()
        for name in ["kty", "crv", "x", "y"] {
            guard let text = unsafe json_string_value(json_object_get(tree, name)) else { continue }
            members[name] = .string(unsafe String(cString: text))
        }
        do throws(JSONError) {
            return try CurvePoint(jwk: .object(members))
        } catch {
            throw PinError(.failed, step: "exchange keys", detail: error.description)
        }
    }

    /// The x-coordinate, padded on the left to `count` bytes.
    func x(count: Int) throws(PinError) -> SecretBytes {
        try unsafe SecretBytes(count: count) { (buffer) throws(PinError) in
            let member = unsafe json_object_get(tree, "x")
            guard unsafe jose_b64_dec(member, nil, 0) == count,
                unsafe jose_b64_dec(member, buffer.baseAddress, count) == count
            else { throw PinError(.failed, step: "exchange keys", detail: "libjose wrote no x of \(count) bytes") }
        }
    }

    private func setAlgorithm() { _ = unsafe json_object_set_new(tree, "alg", json_string("ECMR")) }
}
