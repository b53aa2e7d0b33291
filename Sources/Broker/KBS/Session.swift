// SPDX-License-Identifier: Apache-2.0
internal import Attestation
internal import BrokerProtocol
internal import PinKit

/// What the broker has to know when a guest of the KBS protocol comes back, sealed into what the guest brings: a cookie, or a
/// token. So a session needs no memory, and every replica with the key goes on with it (docs/spec/broker.md §7.2).
enum Session {
    /// Between auth and attest.
    struct Begun {
        let version: KBSVersion
        let tee: Platform
        /// Base64, as the guest got it.
        let nonce: String
    }

    /// After attest.
    struct Attested {
        /// Seconds for which resources may be asked for.
        static let lifetime: Int64 = 300

        let version: KBSVersion
        let key: GuestTEEKey
        let evidence: VerifiedEvidence
        /// Seconds since 1970.
        let expiresAt: Int64
    }

    /// Of text from outside: far more than a session of TDX and an RSA key takes.
    private static let maximumLength = 8 << 10

    fileprivate static func seal(_ json: JSON, _ purpose: String, _ sealer: Sealer) throws(PinError) -> String {
        let text = SecretBytes(copyingPublic: Array(json.canonical.utf8))
        return Base64URL.encode(try sealer.seal(text, "session \(purpose)"))
    }

    /// nil for what this broker did not seal.
    fileprivate static func open(_ text: String, _ purpose: String, _ sealer: Sealer) -> JSONReader? {
        guard text.utf8.count <= maximumLength, let sealed = Base64URL.decode(text),
            let opened = sealer.open(sealed, "session \(purpose)")
        else { return nil }
        let bytes = unsafe opened.withUnsafeBytes { unsafe [UInt8]($0) }
        return try? JSONReader(JSON(parsing: bytes))
    }
}

extension Session.Begun {
    func sealed(_ sealer: Sealer) throws(PinError) -> String {
        let json: JSON = ["nonce": .string(nonce), "tee": .string(tee.rawValue), "version": .string(version.rawValue)]
        return try Session.seal(json, "begun", sealer)
    }

    init?(_ text: String, _ sealer: Sealer) {
        guard var reader = Session.open(text, "begun", sealer),
            let tee = (try? reader.string("tee")).flatMap(Platform.init(rawValue:)),
            let version = (try? reader.string("version")).flatMap(KBSVersion.init(rawValue:)),
            let nonce = try? reader.string("nonce")
        else { return nil }
        self.init(version: version, tee: tee, nonce: nonce)
    }
}

extension Session.Attested {
    func sealed(_ sealer: Sealer) throws(PinError) -> String {
        var members: JSONObject = [
            "expires": .integer(expiresAt), "key": key.jwk, "version": .string(version.rawValue),
        ]
        members[evidence.platform.rawValue] =
            switch evidence {
            case .snp(let genuine): genuine.kept
            case .tdx(let genuine): genuine.kept
            }
        return try Session.seal(.object(members), "attested", sealer)
    }

    /// nil for what this broker did not seal, and for a session that is over.
    init?(_ text: String, _ sealer: Sealer, at now: Int64) {
        guard var reader = Session.open(text, "attested", sealer),
            let expiresAt = try? reader.integer("expires", in: 0...Int64.max), now < expiresAt,
            let version = (try? reader.string("version")).flatMap(KBSVersion.init(rawValue:)),
            let jwk = reader.optional("key"), let key = try? GuestTEEKey(jwk, of: version)
        else { return nil }
        if let snp = reader.optional("snp"), let genuine = try? GenuineSNP(kept: snp) {
            self.init(version: version, key: key, evidence: .snp(genuine), expiresAt: expiresAt)
        } else if let tdx = reader.optional("tdx"), let genuine = try? GenuineTDX(kept: tdx) {
            self.init(version: version, key: key, evidence: .tdx(genuine), expiresAt: expiresAt)
        } else {
            return nil
        }
    }
}
