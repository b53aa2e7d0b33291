// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// What evidence says, in the order in which a person reads it: sections of named facts, as text in columns or as JSON.
public struct FactSheet: Sendable, Equatable {
    public struct Section: Sendable, Equatable {
        public let name: String
        public let facts: [Fact]
    }

    public struct Fact: Sendable, Equatable {
        /// As a policy calls it, where a policy can ask for it.
        public let name: String
        /// For people; several lines where there are several values.
        public let text: String
        public let json: JSON

        init(_ name: String, _ text: String, json: JSON? = nil) {
            self.name = name
            self.text = text
            self.json = json ?? .string(text)
        }
    }

    public let title: String
    public let sections: [Section]

    /// The title, and below it each section with its facts, their values one below the other.
    public var text: String {
        let width = sections.flatMap(\.facts).map(\.name.count).max() ?? 0
        var lines = [title]
        for section in sections where !section.facts.isEmpty {
            lines += ["", section.name]
            for fact in section.facts {
                for (index, line) in fact.text.split(separator: "\n").enumerated() {
                    let name = index == 0 ? fact.name : ""
                    lines.append("  \(name)\(String(repeating: " ", count: width - name.count))  \(line)")
                }
            }
        }
        return lines.joined(separator: "\n")
    }

    /// `{"title":…,"software":{"measurement":…},…}`
    public var json: JSON {
        var members: JSONObject = ["title": .string(title)]
        for section in sections {
            var facts: JSONObject = [:]
            for fact in section.facts { facts[fact.name] = fact.json }
            members[section.name] = .object(facts)
        }
        return .object(members)
    }
}

extension FactSheet.Fact {
    /// Bytes in hexadecimal; `none` where all are zero, since that is what a field holds that nobody set.
    static func bytes(_ name: String, _ bytes: [UInt8]) -> FactSheet.Fact {
        let isSet = bytes.contains { $0 != 0 }
        return FactSheet.Fact(name, isSet ? Hex.encode(bytes) : "none", json: .string(Hex.encode(bytes)))
    }

    static func number(_ name: String, _ value: some BinaryInteger) -> FactSheet.Fact {
        FactSheet.Fact(name, "\(value)", json: .integer(Int64(clamping: value)))
    }

    /// The names of bits that are set, and in hexadecimal what has no name here.
    static func flags<Flags: OptionSet>(
        _ name: String, _ flags: Flags, _ known: [(name: String, bit: Flags)]
    ) -> FactSheet.Fact where Flags.RawValue == UInt64, Flags.Element == Flags {
        var names = known.filter { flags.contains($0.bit) }.map(\.name)
        let rest = known.reduce(flags.rawValue) { $0 & ~$1.bit.rawValue }
        if rest != 0 { names.append("0x\(String(rest, radix: 16))") }
        return FactSheet.Fact(
            name, names.isEmpty ? "none" : names.joined(separator: ", "), json: .array(names.map { .string($0) }))
    }
}
