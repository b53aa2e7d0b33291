// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// PCRs of one bank.
struct PCRSelection {
    /// 0…23: what every PC has.
    static let allowed = 0...23

    let bank: TPMHash
    /// As written, `11,7`: clevis keeps the order in the header, though it means nothing.
    let text: String
    /// Bit n is PCR n.
    let bits: UInt32

    var count: Int { bits.nonzeroBitCount }

    /// nil for text that is not one to 24 numbers of PCRs, separated by commas.
    init?(bank: TPMHash, text: String) {
        let numbers = text.split(separator: ",", omittingEmptySubsequences: false)
        var bits: UInt32 = 0
        guard numbers.count <= 24 else { return nil }
        for number in numbers {
            guard let pcr = PCRSelection.number(number) else { return nil }
            bits |= 1 << UInt32(pcr)
        }
        self.bank = bank
        self.text = text
        self.bits = bits
    }

    /// The four spellings of clevis: `"7,11"`, `["7","11"]`, `[7,11]`, `["7,11"]`; spaces do not count. A bare number is none
    /// of them.
    static func text(of json: JSON) -> String? {
        if let text = json.string { return text.filter { !$0.isWhitespace } }
        guard let elements = json.array else { return nil }
        var parts: [String] = []
        for element in elements {
            guard let part = element.integer.map(String.init) ?? element.string else { return nil }
            parts.append(part.filter { !$0.isWhitespace })
        }
        return parts.joined(separator: ",")
    }

    /// "PCR 7 of bank sha256" or "PCRs 7,11 of bank sha256".
    var description: String { "PCR\(count == 1 ? "" : "s") \(text) of bank \(bank.rawValue)" }

    private static func number(_ text: Substring) -> Int? {
        guard (1...2).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int(text).flatMap { allowed.contains($0) ? $0 : nil }
    }
}
