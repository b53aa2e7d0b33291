// SPDX-License-Identifier: Apache-2.0
internal import CJose
internal import Glibc

/// A P-256 private key for ECDH: a broker's envelope key, or the one-time key of a guest. Held as libjose's own tree, whose
/// private part is overwritten when it goes away.
@safe public final class AgreementKey: @unchecked Sendable {
    private let tree: UnsafeMutablePointer<json_t>
    public let publicKey: PublicKey

    public static func generate() throws(PinError) -> AgreementKey {
        let template: JSON = ["kty": "EC", "crv": "P-256"]
        let tree = unsafe template.makeTree()
        guard unsafe jose_jwk_gen(nil, tree) else {
            unsafe json_decref(tree)
            throw PinError(.failed, step: "generate a P-256 key", detail: "libjose gave no reason")
        }
        return try unsafe AgreementKey(adopting: tree)
    }

    /// Reads a private JWK with `d`.
    public convenience init(jwk text: borrowing SecretBytes) throws(PinError) {
        let tree = unsafe text.withUnsafeBytes { bytes in
            let start = unsafe bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            return unsafe json_loadb(start, bytes.count, size_t(JSON_REJECT_DUPLICATES), nil)
        }
        guard let tree = unsafe tree else {
            throw PinError(.malformed, step: "read a private key", detail: "not a JWK")
        }
        try unsafe self.init(adopting: tree)
    }

    private init(adopting tree: UnsafeMutablePointer<json_t>) throws(PinError) {
        do throws(PinError) {
            self.publicKey = try unsafe AgreementKey.publicPart(of: tree)
        } catch {
            unsafe wipeMember("d", of: tree)
            unsafe json_decref(tree)
            throw error
        }
        unsafe self.tree = tree
    }

    deinit {
        unsafe wipeMember("d", of: tree)
        unsafe json_decref(tree)
    }

    /// The private JWK as text, for the file that keeps it.
    public func jwk() throws(PinError) -> SecretBytes {
        guard let text = unsafe json_dumps(tree, size_t(JSON_SORT_KEYS | JSON_COMPACT)) else {
            throw PinError(.failed, step: "write a private key", detail: "out of memory")
        }
        defer { unsafe wipeAndFree(text) }
        return unsafe SecretBytes(copying: UnsafeRawBufferPointer(start: text, count: strlen(text)))
    }

    func withTree<R: ~Copyable>(_ body: (UnsafeMutablePointer<json_t>) -> R) -> R { unsafe body(tree) }

    private static func publicPart(of tree: UnsafeMutablePointer<json_t>) throws(PinError) -> PublicKey {
        guard unsafe json_string_length(json_object_get(tree, "d")) == 43 else {
            throw PinError(.malformed, step: "read a private key", detail: "d is not 32 bytes of base64url")
        }
        var members = JSONObject()
        for name in ["kty", "crv", "x", "y"] {
            guard let text = unsafe json_string_value(json_object_get(tree, name)) else { continue }
            members[name] = .string(unsafe String(cString: text))
        }
        do {
            return try PublicKey(jwk: .object(members))
        } catch {
            throw PinError(.malformed, step: "read a private key", detail: error.description)
        }
    }
}
