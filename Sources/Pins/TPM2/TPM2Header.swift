// SPDX-License-Identifier: Apache-2.0
package import PinKit

/// What a `tpm2` message says of itself: in clevis' form where clevis knows all of it, else in the extended form, which has
/// no `hash`, so that clevis refuses it before it asks the TPM (docs/spec/pins.md §5.1).
package struct TPM2Header {
    let parent: Parent
    /// The parent's name (hash of its public area), which must be found again; empty in clevis' form.
    let parentName: [UInt8]
    let object: SealedObject
    let conditions: Conditions

    init(parent: Parent, parentName: [UInt8], object: SealedObject, conditions: Conditions) {
        self.parent = parent
        self.parentName = parentName
        self.object = object
        self.conditions = conditions
    }

    package init(_ message: JWE) throws(PinError) {
        try message.requireAlgorithm("dir")
        let halves: (publicHalf: [UInt8], privateHalf: [UInt8])
        do throws(JSONError) {
            var reader = try JSONReader(message.parameters ?? .null, at: "clevis.tpm2")
            halves = (try reader.half("jwk_pub"), try reader.half("jwk_priv"))
            conditions = try TPM2Header.conditions(&reader)
            parent = try TPM2Header.parent(&reader)
            parentName = try reader.optionalBase64URL("name") ?? []
            guard parent.isClevis && conditions.areClevis || !parentName.isEmpty else {
                throw reader.error(at: "name", "is missing")
            }
        } catch {
            throw SealedObject.malformed(error.description)
        }
        object = try SealedObject(publicHalf: halves.publicHalf, privateHalf: halves.privateHalf)
    }

    var json: JSON {
        var members: JSONObject = [
            "jwk_pub": .string(Base64URL.encode(object.publicHalf)),
            "jwk_priv": .string(Base64URL.encode(object.privateHalf)),
        ]
        let isClevis = parent.isClevis && conditions.areClevis
        switch parent {
        case .primary(let primary):
            if isClevis { members["hash"] = .string(primary.hash.rawValue) }
            members["key"] = .string(primary.kind.rawValue)
        case .storageRoot: members["parent"] = .string(Parent.srk)
        }
        if !isClevis { members["name"] = .string(Base64URL.encode(parentName)) }
        for member in conditions.members.members { members[member.name] = member.value }
        return .object(members)
    }

    private static func conditions(_ reader: inout JSONReader) throws(JSONError) -> Conditions {
        let bank = try reader.hash("pcr_bank")
        // Some write an empty text where there are no PCRs.
        let hasPCRs = reader.optional("pcr_ids") != ""
        return Conditions(
            signed: try reader.signedPCRs(in: bank) { (json, place) throws(JSONError) in
                try PolicyKey(jwk: json, at: place)
            },
            pcrs: hasPCRs ? try reader.pcrs("pcr_ids", in: bank) : nil,
            pin: try reader.optionalBool("pin") ?? false)
    }

    private static func parent(_ reader: inout JSONReader) throws(JSONError) -> Parent {
        guard let name = try reader.optionalString("parent") else { return .primary(try PrimaryKey(reading: &reader)) }
        guard name == Parent.srk else { throw reader.error(at: "parent", "is not known here") }
        return .storageRoot
    }
}

extension JSONReader {
    /// One half of a sealed object; its length is bounded before it is decoded.
    fileprivate mutating func half(_ name: String) throws(JSONError) -> [UInt8] {
        let text = try string(name)
        guard text.utf8.count <= SealedObject.maximumLength / 3 * 4 else { throw error(at: name, "is too long") }
        guard let bytes = Base64URL.decode(text) else { throw error(at: name, "is not base64url without padding") }
        return bytes
    }
}
