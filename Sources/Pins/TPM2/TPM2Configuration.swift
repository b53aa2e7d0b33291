// SPDX-License-Identifier: Apache-2.0
internal import FileIO
package import PinKit

/// What a tpm2 pin is asked for; every member is optional (docs/spec/pins.md §5).
package struct TPM2Configuration {
    let parent: Parent
    let conditions: Conditions
    /// SHA-256 of the values that the PCRs will have; empty for those they have now.
    let digest: [UInt8]

    package init(_ json: JSON) throws(PinError) {
        do {
            var reader = try JSONReader(json)
            conditions = try TPM2Configuration.conditions(&reader)
            digest = try TPM2Configuration.digest(&reader, of: conditions.pcrs)
            parent = try TPM2Configuration.parent(&reader, for: conditions)
            try reader.finish()
        } catch {
            throw PinError(.malformed, step: "configuration", detail: error.description)
        }
    }

    private static func conditions(_ reader: inout JSONReader) throws(JSONError) -> Conditions {
        let bank = try reader.hash("pcr_bank")
        let conditions = Conditions(
            signed: try reader.signedPCRs(in: bank ?? .sha256, readKey: publicKey),
            pcrs: try reader.pcrs("pcr_ids", in: bank ?? .sha256),
            pin: try reader.optionalBool("pin") ?? false)
        guard bank == nil || conditions.pcrs != nil || conditions.signed != nil else {
            throw reader.error(at: "pcr_bank", "without pcr_ids means nothing")
        }
        return conditions
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

    /// What clevis does not know is only made with the parents that a header of its own form names.
    private static func parent(_ reader: inout JSONReader, for conditions: Conditions) throws(JSONError) -> Parent {
        if let name = try reader.optionalString("parent") {
            guard name == Parent.srk else { throw reader.error(at: "parent", #"must be "srk", or left out"#) }
            for member in ["hash", "key"] where reader.optional(member) != nil {
                throw reader.error(at: member, "means nothing with parent")
            }
            return .storageRoot
        }
        let primary = try PrimaryKey(reading: &reader)
        guard conditions.areClevis || primary.hash == .sha256 else {
            throw reader.error(at: "hash", "can only be sha256 with pin or pubkey")
        }
        return .primary(primary)
    }

    /// A JWK, or the name of a PEM file or of one with a JWK.
    private static func publicKey(_ json: JSON, _ place: String) throws(JSONError) -> PolicyKey {
        guard let path = json.string else { return try PolicyKey(jwk: json, at: place) }
        let text: [UInt8]
        do throws(FileError) {
            text = try FileIO.read(path, limit: 16 << 10)
        } catch {
            throw JSONError(place: place, problem: error.description)
        }
        if text.first == UInt8(ascii: "{") { return try PolicyKey(jwk: JSON(parsing: text), at: path) }
        guard let key = PolicyKey(pem: text) else {
            throw JSONError(
                place: place, problem: "\(path) is no PEM file with a public key, RSA from 2048 bits or P-256 to P-521")
        }
        return key
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
