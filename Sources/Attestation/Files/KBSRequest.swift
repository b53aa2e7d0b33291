// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// The rest of a message that a client of the KBS protocol attests with: for which nonce and key the evidence was made.
///
/// Protocol 0.4.0 has both in `runtime-data`; up to 0.2.0 the nonce stayed with the server.
public struct KBSRequest: Sendable, Equatable {
    /// As the server sent it: base64 of its bytes; nil where the message does not have it.
    public let nonce: String?
    /// The members of the key that go into the digest.
    private let key: JSON
    /// JSON text about further devices, or an empty one; nil before 0.4.0.
    private let additional: String?
    let evidence: JSON

    /// nil where `json` is evidence and not a message with some.
    init?(_ json: JSON) throws(JSONError) {
        guard json["tee-evidence"] != nil else { return nil }
        var reader = try JSONReader(json)
        let carried = try Self.object(reader.required("tee-evidence"), at: "tee-evidence")
        _ = reader.optional("init-data")
        if var runtime = try reader.optionalReader("runtime-data") {
            nonce = try runtime.string("nonce")
            key = try Self.key(runtime.required("tee-pubkey"))
            try runtime.finish()
            evidence = try Self.object(carried["primary_evidence"] ?? .null, at: "tee-evidence.primary_evidence")
            additional = carried["additional_evidence"]?.string ?? ""
        } else {
            nonce = nil
            key = try Self.key(reader.required("tee-pubkey"))
            evidence = carried
            additional = nil
        }
        try reader.finish()
    }

    /// The report data that evidence for `nonce` has: SHA-384 of canonical JSON, and 16 zero bytes.
    public func reportData(nonce: String) -> [UInt8] {
        var members: JSONObject = ["nonce": .string(nonce), "tee-pubkey": key]
        members["additional-evidence"] = additional.map { .string($0) }
        return Digest.sha384(Array(JSON.object(members).canonical.utf8)) + [UInt8](repeating: 0, count: 16)
    }

    /// Evidence is an object, or the text of one.
    private static func object(_ json: JSON, at place: String) throws(JSONError) -> JSON {
        let value = try json.string.map { (text) throws(JSONError) in try JSON(parsing: text) } ?? json
        guard value.object != nil else { throw JSONError(place: place, problem: "must be an object") }
        return value
    }

    /// Servers read the key into a type of theirs and write it again: what they do not know is not in the digest.
    private static func key(_ json: JSON) throws(JSONError) -> JSON {
        guard let object = json.object else { throw JSONError(place: "tee-pubkey", problem: "must be an object") }
        var members: JSONObject = [:]
        for name in ["alg", "crv", "e", "k-exp", "k-mod", "kty", "n", "x", "y"] { members[name] = object[name] }
        return .object(members)
    }
}
