// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// The JSON of a trust bundle (docs/spec/trust-bundle.md): files, of which nothing is checked here.
struct BundleDocument {
    var amd: [[UInt8]] = []
    var intel: [TDXCollateral] = []

    init() {}

    init(_ json: JSON) throws(JSONError) {
        var reader = try JSONReader(json)
        _ = try reader.integer("version", in: 1...1)
        for (index, text) in try reader.strings("amd").enumerated() {
            guard let file = Base64URL.decode(text) else {
                throw JSONError(place: "amd[\(index)]", problem: "is not base64url without padding")
            }
            amd.append(file)
        }
        for (index, set) in try (reader.optionalArray("intel") ?? []).enumerated() {
            intel.append(try Self.collateral(JSONReader(set, at: "intel[\(index)]")))
        }
        try reader.finish()
    }

    private static func collateral(_ reader: JSONReader) throws(JSONError) -> TDXCollateral {
        var reader = reader
        var collateral = TDXCollateral()
        for part in TDXCollateral.Part.allCases { collateral[part] = try reader.base64URL(part.rawValue) }
        try reader.finish()
        return collateral
    }

    var json: JSON {
        [
            "version": 1, "amd": .array(amd.map { .string(Base64URL.encode($0)) }),
            "intel": .array(intel.map(Self.json)),
        ]
    }

    private static func json(_ collateral: TDXCollateral) -> JSON {
        var members: JSONObject = [:]
        for part in TDXCollateral.Part.allCases {
            members[part.rawValue] = collateral[part].map { .string(Base64URL.encode($0)) }
        }
        return .object(members)
    }
}
