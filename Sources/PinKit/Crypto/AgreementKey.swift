// SPDX-License-Identifier: Apache-2.0
internal import CJose

/// A P-256 private key for ECDH: a broker's envelope key, or the one-time key of a guest. Lives inside libcrypto and leaves it only
/// as a JWK in a ``SecretBytes``.
public final class AgreementKey: Sendable {
    private let key: ExchangeKey
    public let publicKey: PublicKey

    public static func generate() throws(PinError) -> AgreementKey {
        AgreementKey(try ExchangeKey(generatingOn: .p256))
    }

    /// Reads a private JWK with `d`.
    public convenience init(jwk text: borrowing SecretBytes) throws(PinError) {
        let tree = unsafe text.withUnsafeBytes { bytes in
            let start = unsafe bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            return unsafe json_loadb(start, bytes.count, size_t(JSON_REJECT_DUPLICATES), nil)
        }
        guard let tree = unsafe tree else { throw Self.malformed("not a JWK") }
        defer {
            unsafe wipeMember("d", of: tree)
            unsafe json_decref(tree)
        }
        let point = try unsafe Self.publicPart(of: tree)
        let member = unsafe json_object_get(tree, "d")
        let number = unsafe SecretBytes(
            decodingBase64URL: UnsafeRawBufferPointer(start: json_string_value(member), count: json_string_length(member)))
        guard let number, number.count == 32 else { throw Self.malformed("d is not 32 bytes of base64url") }
        guard let key = ExchangeKey(number: number, point: point) else {
            throw Self.malformed("d is not the key of x and y")
        }
        self.init(key)
    }

    private init(_ key: consuming ExchangeKey) {
        publicKey = PublicKey(x: key.publicPoint.x, y: key.publicPoint.y)
        self.key = key
    }

    /// The private JWK as text, for the file that keeps it.
    public func jwk() throws(PinError) -> SecretBytes {
        let (x, y) = (Base64URL.encode(publicKey.x), Base64URL.encode(publicKey.y))
        let head = SecretBytes(copyingPublic: Array(#"{"crv":"P-256","d":""#.utf8))
        let tail = SecretBytes(copyingPublic: Array(#"","kty":"EC","x":"\#(x)","y":"\#(y)"}"#.utf8))
        return head.appending(try key.number().base64URL).appending(tail)
    }

    /// See ``ExchangeKey/agree(with:)``.
    func agree(with point: CurvePoint) throws(PinError) -> SecretBytes? { try key.agree(with: point) }

    private static func publicPart(of tree: UnsafeMutablePointer<json_t>) throws(PinError) -> PublicKey {
        var members = JSONObject()
        for name in ["kty", "crv", "x", "y"] {
            guard let text = unsafe json_string_value(json_object_get(tree, name)) else { continue }
            members[name] = .string(unsafe String(cString: text))
        }
        do {
            return try PublicKey(jwk: .object(members))
        } catch {
            throw malformed(error.description)
        }
    }

    private static func malformed(_ detail: String) -> PinError {
        PinError(.malformed, step: "read a private key", detail: detail)
    }
}
