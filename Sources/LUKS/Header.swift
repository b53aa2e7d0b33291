// SPDX-License-Identifier: Apache-2.0
package import PinKit

/// LUKS2 metadata that passed the allow-list (docs/spec/luks-token.md, "Header allow-list"): one `aes-xts-plain64` segment,
/// one digest, plain keyslots, no requirements. Made from a header that an attacker may have written, so whoever holds one
/// knows that its volume is encrypted with the key that its digest names.
package struct Header: Sendable {
    package let uuid: String
    /// The single segment, as it stands in the header.
    package let segment: JSON
    /// The single digest without its `keyslots`, which changes with every keyslot a user adds.
    package let digest: JSON
    package let keyslots: [Int: Keyslot]
    /// As they stand, whatever their type: other programs' tokens are not judged.
    package let tokens: [Int: JSON]
    /// Bytes of JSON that the metadata area holds, and those in use.
    package let jsonSize: Int
    package let jsonUsed: Int
    /// Bytes up to the end of the region of keyslots.
    let length: Int

    package struct Keyslot: Sendable {
        package let area: JSON
        package let kdf: JSON
        package let af: JSON
        /// Where the key material lies, in bytes from the start of the header.
        let range: Range<Int>
    }

    /// Checks `metadata`, whose two areas are `areaSize` bytes each. Errors name object, expected and found.
    package init(metadata: JSON, uuid: String, areaSize: Int) throws(LUKSError) {
        do {
            var reader = try HeaderReader(metadata, "metadata")
            let config = try Header.config(reader.required("config"), areaSize: areaSize)
            let keyslots = try Header.keyslots(reader.numbered("keyslots"), in: config.keyslotsRegion)
            self.segment = try Header.segment(reader.numbered("segments"), behind: config.keyslotsRegion)
            self.digest = try Header.digest(reader.numbered("digests"), of: keyslots)
            self.tokens = try reader.numbered("tokens")
            self.keyslots = keyslots
            self.jsonSize = config.jsonSize
            self.length = config.keyslotsRegion.upperBound
            try reader.finish()
        } catch {
            throw LUKSError(.refused, step: "header", detail: error.description)
        }
        self.jsonUsed = metadata.canonical.utf8.count
        self.uuid = uuid
    }
}

/// Figures of the allow-list.
package enum HeaderLimits {
    static let cipher = "aes-xts-plain64"
    /// Bytes of a volume key and of a keyslot's key: two AES-256 keys.
    static let keySize = 64
    static let hashes = ["sha256", "sha384", "sha512"]
    /// Both metadata areas and all key material: what is copied into memory at most.
    static let copySize = 32 << 20
    static let iterations: ClosedRange<Int64> = 1000...100_000_000
    static let argonTime: ClosedRange<Int64> = 1...1000
    /// KiB; what cryptsetup takes at most unless told otherwise.
    static let argonMemory: ClosedRange<Int64> = 32...(1 << 20)
    static let argonThreads: ClosedRange<Int64> = 1...4
}

// MARK: - The objects of the metadata

extension Header {
    private static func config(
        _ json: JSON, areaSize: Int
    ) throws(JSONError) -> (jsonSize: Int, keyslotsRegion: Range<Int>) {
        var reader = try HeaderReader(json, "config")
        let jsonSize = try reader.bytes("json_size", in: 0...BinaryHeader.maximumAreaSize)
        guard jsonSize == areaSize - 4096 else { throw reader.error("json_size is \(jsonSize), not \(areaSize - 4096)") }
        let keyslotsSize = try reader.bytes("keyslots_size", in: 0...HeaderLimits.copySize - 2 * areaSize)
        try reader.absentOrEmpty("flags")
        try reader.absentOrEmpty("requirements")
        try reader.finish()
        return (jsonSize, 2 * areaSize..<2 * areaSize + keyslotsSize)
    }

    private static func segment(_ segments: [Int: JSON], behind keyslots: Range<Int>) throws(JSONError) -> JSON {
        guard segments.count == 1, let segment = segments[0] else {
            throw JSONError(place: "segments", problem: "are \(listed(segments.keys)), not only 0")
        }
        var reader = try HeaderReader(segment, "segment 0")
        try reader.string("type", "crypt")
        try reader.string("encryption", HeaderLimits.cipher)
        try reader.string("size", "dynamic")
        try reader.string("iv_tweak", "0")
        _ = try reader.bytes("offset", in: keyslots.upperBound...Int.max)
        let sector = try reader.integer("sector_size", in: 512...4096)
        guard sector == 512 || sector == 4096 else { throw reader.error("sector_size is \(sector), not 512 or 4096") }
        try reader.absentOrEmpty("flags")
        try reader.finish()
        return segment
    }

    private static func digest(_ digests: [Int: JSON], of keyslots: [Int: Keyslot]) throws(JSONError) -> JSON {
        guard digests.count == 1, let (number, digest) = digests.first else {
            throw JSONError(place: "digests", problem: "are \(listed(digests.keys)), not only one")
        }
        var reader = try HeaderReader(digest, "digest \(number)")
        try reader.string("type", "pbkdf2")
        try reader.string("hash", anyOf: HeaderLimits.hashes)
        _ = try reader.integer("iterations", in: HeaderLimits.iterations)
        for name in ["salt", "digest"] { try reader.base64(name) }
        let covered = try reader.numbers("keyslots")
        guard covered == keyslots.keys.sorted() else {
            throw reader.error("keyslots are \(listed(covered)), not all: \(listed(keyslots.keys))")
        }
        let segments = try reader.numbers("segments")
        guard segments == [0] else { throw reader.error("segments are \(listed(segments)), not 0") }
        try reader.finish()
        var members = digest.object ?? [:]
        members["keyslots"] = nil
        return .object(members)
    }

    private static func keyslots(_ keyslots: [Int: JSON], in region: Range<Int>) throws(JSONError) -> [Int: Keyslot] {
        var valid: [Int: Keyslot] = [:]
        for (number, json) in keyslots { valid[number] = try keyslot(json, "keyslot \(number)", in: region) }
        try refuseOverlap(valid)
        return valid
    }

    private static func keyslot(_ json: JSON, _ name: String, in region: Range<Int>) throws(JSONError) -> Keyslot {
        var reader = try HeaderReader(json, name)
        try reader.string("type", "luks2")
        try reader.integer("key_size", HeaderLimits.keySize)
        _ = try reader.optionalInteger("priority", in: 0...2)
        let (area, kdf, af) = (try reader.required("area"), try reader.required("kdf"), try reader.required("af"))
        try reader.finish()
        try checkKeyDerivation(kdf, "\(name): kdf")
        try checkSplitter(af, "\(name): af")
        return Keyslot(area: area, kdf: kdf, af: af, range: try range(of: area, "\(name): area", in: region))
    }

    private static func range(of area: JSON, _ name: String, in region: Range<Int>) throws(JSONError) -> Range<Int> {
        var reader = try HeaderReader(area, name)
        try reader.string("type", "raw")
        try reader.string("encryption", HeaderLimits.cipher)
        try reader.integer("key_size", HeaderLimits.keySize)
        let offset = try reader.bytes("offset", in: region.lowerBound...region.upperBound)
        let size = try reader.bytes("size", in: HeaderLimits.keySize * 4000...HeaderLimits.copySize)
        guard size <= region.upperBound - offset else {
            throw reader.error(
                "its end at \(offset + size) is outside the keyslot region, which ends at \(region.upperBound)")
        }
        try reader.finish()
        return offset..<offset + size
    }

    private static func checkKeyDerivation(_ kdf: JSON, _ name: String) throws(JSONError) {
        var reader = try HeaderReader(kdf, name)
        let type = try reader.string("type", anyOf: ["pbkdf2", "argon2i", "argon2id"])
        try reader.base64("salt")
        if type == "pbkdf2" {
            try reader.string("hash", anyOf: HeaderLimits.hashes)
            _ = try reader.integer("iterations", in: HeaderLimits.iterations)
        } else {
            _ = try reader.integer("time", in: HeaderLimits.argonTime)
            _ = try reader.integer("memory", in: HeaderLimits.argonMemory)
            _ = try reader.integer("cpus", in: HeaderLimits.argonThreads)
        }
        try reader.finish()
    }

    private static func checkSplitter(_ af: JSON, _ name: String) throws(JSONError) {
        var reader = try HeaderReader(af, name)
        try reader.string("type", "luks1")
        try reader.integer("stripes", 4000)
        try reader.string("hash", anyOf: HeaderLimits.hashes)
        try reader.finish()
    }

    private static func refuseOverlap(_ keyslots: [Int: Keyslot]) throws(JSONError) {
        let ordered = keyslots.sorted { $0.value.range.lowerBound < $1.value.range.lowerBound }
        for (one, next) in zip(ordered, ordered.dropFirst()) where one.value.range.overlaps(next.value.range) {
            throw JSONError(place: "keyslot \(one.key)", problem: "its area overlaps that of keyslot \(next.key)")
        }
    }
}

/// `0, 2` or `none`.
private func listed(_ numbers: some Sequence<Int>) -> String {
    let text = numbers.sorted().map(String.init).joined(separator: ", ")
    return text.isEmpty ? "none" : text
}
