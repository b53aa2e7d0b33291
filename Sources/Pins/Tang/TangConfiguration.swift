// SPDX-License-Identifier: Apache-2.0
internal import FileIO
internal import PinKit

/// The configuration of ``TangPin``, read, with the file that it may name.
struct TangConfiguration: Sendable {
    /// As it was written, and as the header keeps it: with or without a scheme.
    let url: String
    /// Of a key that must have signed the advertisement: S256 or S1.
    let thumbprint: String?
    /// A JWS that came by another way than this network.
    let advertisement: JSON?

    init(_ configuration: JSON) throws(PinError) {
        do throws(JSONError) {
            var reader = try JSONReader(configuration)
            url = try reader.string("url")
            guard !url.isEmpty else { throw reader.error(at: "url", "is empty") }
            thumbprint = try TangConfiguration.thumbprint(&reader)
            advertisement = try TangConfiguration.advertisement(&reader)
            try reader.finish()
        } catch {
            throw PinError(.malformed, step: "configuration", detail: error.description)
        }
    }

    /// The length says which digest it is. Others than clevis takes are refused, and it becomes a part of an address.
    private static func thumbprint(_ reader: inout JSONReader) throws(JSONError) -> String? {
        guard let text = try reader.optionalString("thp") else { return nil }
        guard KeySet.Thumbprint(of: text) != nil, Base64URL.decode(text) != nil else {
            throw reader.error(at: "thp", "must be a thumbprint in base64url: S256 (43 characters) or S1 (27)")
        }
        return text
    }

    private static func advertisement(_ reader: inout JSONReader) throws(JSONError) -> JSON? {
        guard let value = reader.optional("adv") else { return nil }
        if value.object != nil { return value }
        guard let path = value.string else { throw reader.error(at: "adv", "must be an object or the name of a file") }
        let text: [UInt8]
        do throws(FileError) {
            text = try FileIO.read(path, limit: Advertisement.maximumLength)
        } catch {
            throw reader.error(at: "adv", error.description)
        }
        do throws(JSONError) {
            return try JSON(parsing: text)
        } catch {
            throw reader.error(at: "adv", "\(path): \(error)")
        }
    }
}
