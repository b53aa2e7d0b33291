// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// What a guest was started with, as its client shows it: a TOML document whose digest the host put into HOST_DATA or
/// MRCONFIGID at launch. Only the digest is looked at here; policies ask for it as `host_data` and `mrconfigid`.
package struct InitData: Sendable {
    private static let maximumLength = 64 << 10

    package let digest: [UInt8]

    /// `{"format":"toml","body":"…"}`
    init(_ json: JSON) throws(JSONError) {
        var reader = try JSONReader(json, at: "init-data")
        guard try reader.string("format") == "toml" else { throw reader.error(at: "format", "must be toml") }
        let body = try reader.string("body")
        try reader.finish()
        guard body.utf8.count <= Self.maximumLength else {
            throw reader.error(at: "body", "is longer than \(Self.maximumLength) bytes")
        }
        let bytes = Array(body.utf8)
        switch Self.algorithm(in: body) {
        case "sha256": digest = Digest.sha256(bytes)
        case "sha384": digest = Digest.sha384(bytes)
        case "sha512": digest = Digest.sha512(bytes)
        default: throw reader.error(at: "body", "names no algorithm: algorithm = \"sha256\", sha384 or sha512 at its top")
        }
    }

    /// The value of `algorithm` above the first table.
    private static func algorithm(in body: String) -> String? {
        for line in body.split(whereSeparator: \.isNewline) {
            let line = line.drop(while: \.isWhitespace)
            if line.first == "[" { return nil }
            let parts = line.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, word(parts[0]) == "algorithm" else { continue }
            return word(parts[1])
        }
        return nil
    }

    /// What stands between quotes, or the first bare word.
    private static func word(_ text: Substring) -> String {
        let trimmed = text.drop(while: \.isWhitespace)
        guard let quote = trimmed.first, quote == "\"" || quote == "'" else {
            return String(trimmed.prefix { !$0.isWhitespace && $0 != "#" })
        }
        return String(trimmed.dropFirst().prefix { $0 != quote })
    }

    /// Whether `field`, 32 bytes of a report or 48 of a quote, is the digest: cut to it, or padded with zero bytes.
    package func matches(_ field: [UInt8]) -> Bool {
        let padded = digest + [UInt8](repeating: 0, count: max(0, field.count - digest.count))
        return Array(padded.prefix(field.count)) == field
    }
}
