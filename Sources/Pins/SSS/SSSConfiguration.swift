// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// `{"t":N,"pins":{PIN:{…}|[{…},…],…}}`, children in the order they are written.
struct SSSConfiguration {
    static let maximumChildren = 32

    let needed: Int
    let children: [(pin: String, configuration: JSON)]

    init(_ json: JSON) throws(PinError) {
        do {
            var reader = try JSONReader(json)
            let threshold = try reader.optionalInteger("t") ?? 1
            guard let pins = try reader.required("pins").object else { throw reader.error(at: "pins", "must be an object") }
            try reader.finish()
            children = SSSConfiguration.flatten(pins)
            guard (1...SSSConfiguration.maximumChildren).contains(children.count) else {
                throw reader.error(at: "pins", "must name from 1 to \(SSSConfiguration.maximumChildren) pins")
            }
            guard (1...Int64(children.count)).contains(threshold) else {
                throw reader.error(
                    at: "t", "is \(threshold); with \(children.count) pins it must be from 1 to \(children.count)")
            }
            needed = Int(threshold)
        } catch let error as JSONError {
            throw PinError(.malformed, step: "configuration", detail: error.description)
        } catch {
            throw PinError(.malformed, step: "configuration")
        }
    }

    private static func flatten(_ pins: JSONObject) -> [(pin: String, configuration: JSON)] {
        pins.members.flatMap { member in
            (member.value.array ?? [member.value]).map { (pin: member.name, configuration: $0) }
        }
    }
}
