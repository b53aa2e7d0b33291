// SPDX-License-Identifier: Apache-2.0
package import PinKit

/// `{"hash":…,"key":…,"pcr_bank":…,"pcr_ids":…,"pcr_digest":…}`, all of it optional (docs/spec/pins.md).
package struct TPM2Configuration {
    let primary: PrimaryKey
    let pcrs: PCRSelection?
    /// SHA-256 of the values that the PCRs will have; empty for those they have now.
    let digest: [UInt8]

    package init(_ json: JSON) throws(PinError) {
        do {
            var reader = try JSONReader(json)
            primary = try PrimaryKey(reading: &reader)
            pcrs = try TPM2Configuration.pcrs(&reader)
            digest = try TPM2Configuration.digest(&reader, of: pcrs)
            try reader.finish()
        } catch {
            throw PinError(.malformed, step: "configuration", detail: error.description)
        }
    }

    /// clevis' `pcr_digest` is no digest but the values themselves, one after another in ascending order.
    private static func digest(_ reader: inout JSONReader, of pcrs: PCRSelection?) throws(JSONError) -> [UInt8] {
        guard let values = try reader.optionalBase64URL("pcr_digest") else { return [] }
        guard let pcrs else { throw reader.error(at: "pcr_digest", "without pcr_ids means nothing") }
        let length = pcrs.count * pcrs.bank.length
        guard values.count == length else {
            throw reader.error(at: "pcr_digest", "must be the \(length) bytes of the PCRs' values, not \(values.count)")
        }
        return Digest.sha256(values)
    }

    private static func pcrs(_ reader: inout JSONReader) throws(JSONError) -> PCRSelection? {
        let bank = try reader.hash("pcr_bank")
        guard let json = reader.optional("pcr_ids") else {
            guard bank == nil else { throw reader.error(at: "pcr_bank", "without pcr_ids means nothing") }
            return nil
        }
        guard let text = PCRSelection.text(of: json), let pcrs = PCRSelection(bank: bank ?? .sha256, text: text) else {
            throw reader.error(at: "pcr_ids", #"must be PCRs from 0 to 23, as "7,11" or [7,11]"#)
        }
        return pcrs
    }
}

/// What a `tpm2` message says of itself.
package struct TPM2Header {
    let primary: PrimaryKey
    let object: SealedObject
    let pcrs: PCRSelection?

    init(primary: PrimaryKey, object: SealedObject, pcrs: PCRSelection?) {
        self.primary = primary
        self.object = object
        self.pcrs = pcrs
    }

    init(_ message: JWE) throws(PinError) {
        try message.requireAlgorithm("dir")
        let halves: (publicHalf: [UInt8], privateHalf: [UInt8])
        do {
            var reader = try JSONReader(message.parameters ?? .null, at: "clevis.tpm2")
            primary = try PrimaryKey(reading: &reader)
            halves = (try reader.half("jwk_pub"), try reader.half("jwk_priv"))
            pcrs = try TPM2Header.pcrs(&reader)
        } catch {
            throw SealedObject.malformed(error.description)
        }
        object = try SealedObject(publicHalf: halves.publicHalf, privateHalf: halves.privateHalf)
    }

    /// Members in clevis' names; `pcr_bank` and `pcr_ids` only where there is a policy.
    var json: JSON {
        var members: JSONObject = [
            "hash": .string(primary.hash.rawValue), "key": .string(primary.kind.rawValue),
            "jwk_pub": .string(Base64URL.encode(object.publicHalf)),
            "jwk_priv": .string(Base64URL.encode(object.privateHalf)),
        ]
        if let pcrs {
            members["pcr_bank"] = .string(pcrs.bank.rawValue)
            members["pcr_ids"] = .string(pcrs.text)
        }
        return .object(members)
    }

    private static func pcrs(_ reader: inout JSONReader) throws(JSONError) -> PCRSelection? {
        let bank = try reader.hash("pcr_bank")
        guard let text = try reader.optionalString("pcr_ids"), !text.isEmpty else { return nil }
        // Stock clevis writes both.
        guard let bank else { throw reader.error(at: "pcr_bank", "is missing") }
        guard let pcrs = PCRSelection(bank: bank, text: text) else {
            throw reader.error(at: "pcr_ids", "must be PCRs from 0 to 23")
        }
        return pcrs
    }
}

extension PrimaryKey {
    init(reading reader: inout JSONReader) throws(JSONError) {
        hash = try reader.hash("hash") ?? .sha256
        let name = try reader.optionalString("key") ?? "ecc"
        guard let kind = Kind(rawValue: name) else { throw reader.error(at: "key", "must be ecc or rsa") }
        self.kind = kind
    }
}

extension JSONReader {
    fileprivate mutating func hash(_ name: String) throws(JSONError) -> TPMHash? {
        guard let text = try optionalString(name) else { return nil }
        guard let hash = TPMHash(rawValue: text) else { throw error(at: name, "must be sha1, sha256, sha384 or sha512") }
        return hash
    }

    /// One half of a sealed object; its length is bounded before it is decoded.
    fileprivate mutating func half(_ name: String) throws(JSONError) -> [UInt8] {
        let text = try string(name)
        guard text.utf8.count <= SealedObject.maximumLength / 3 * 4 else { throw error(at: name, "is too long") }
        guard let bytes = Base64URL.decode(text) else { throw error(at: name, "is not base64url without padding") }
        return bytes
    }
}
