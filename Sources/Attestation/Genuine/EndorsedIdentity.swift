// SPDX-License-Identifier: Apache-2.0
package import TEE

/// What a VCEK or VLEK certificate says of the key it names: AMD's extensions below 1.3.6.1.4.1.3704.1 (Versioned Chip
/// Endorsement Key Certificate and KDS Interface Specification, §3).
package struct EndorsedIdentity: Sendable {
    /// `Milan-B0`, `Genoa`, `Turin`: the product with a stepping at times.
    package let productName: String
    /// The security patch levels, put together as the TCB_VERSION that a report must state.
    package let tcb: TCBVersion
    /// The chip's id, 64 bytes or 8; nil in a VLEK.
    package let hardwareID: [UInt8]?
    /// Whom a VLEK was given to; nil in a VCEK.
    package let provider: String?

    private static let arc = "1.3.6.1.4.1.3704.1."

    /// Throws `.malformed` where one is missing or not as specified.
    package init(_ certificate: Certificate, layout: TCBLayout) throws(EvidenceError) {
        let found = certificate.extensions
        guard let name = found[Self.arc + "2"].flatMap(Self.ia5String) else {
            throw Certificate.malformed("its productName (\(Self.arc)2) is missing or no IA5String")
        }
        var levels: [UInt8] = []
        for suffix in Self.patchLevels(layout) {
            guard let level = found[Self.arc + suffix].flatMap(Self.byte) else {
                throw Certificate.malformed("its SPL \(Self.arc)\(suffix) is missing or not 0 to 255")
            }
            levels.append(level)
        }
        guard let tcb = TCBVersion(levels) else { preconditionFailure("a layout names 8 patch levels") }
        self.productName = name
        self.tcb = tcb
        self.hardwareID = try found[Self.arc + "4"].map(Self.identity)
        self.provider = found[Self.arc + "5"].flatMap(Self.ia5String)
    }

    /// OID suffixes in the order of the bytes of TCB_VERSION, reserved ones included.
    private static func patchLevels(_ layout: TCBLayout) -> [String] {
        switch layout {
        case .milan: ["3.1", "3.2", "3.4", "3.5", "3.6", "3.7", "3.3", "3.8"]
        case .turin: ["3.9", "3.1", "3.2", "3.3", "3.5", "3.6", "3.7", "3.8"]
        }
    }

    /// DER INTEGER 0 to 255: 128 and more take a second byte of content, for the sign.
    private static func byte(_ der: [UInt8]) -> UInt8? {
        switch der.count {
        case 3 where der.starts(with: [0x02, 0x01]) && der[2] < 0x80: der[2]
        case 4 where der.starts(with: [0x02, 0x02, 0x00]) && der[3] >= 0x80: der[3]
        default: nil
        }
    }

    private static func ia5String(_ der: [UInt8]) -> String? {
        guard der.count >= 2, der[0] == 0x16, der[1] < 0x80, der.count == 2 + Int(der[1]),
            der.dropFirst(2).allSatisfy({ 0x20...0x7e ~= $0 })
        else { return nil }
        return String(decoding: der.dropFirst(2), as: UTF8.self)
    }

    /// Raw, or inside an OCTET STRING. A raw id may itself begin like one, so that the length decides.
    private static func identity(_ value: [UInt8]) throws(EvidenceError) -> [UInt8] {
        switch value.count {
        case 64, 8: return value
        case 66 where value.starts(with: [0x04, 64]), 10 where value.starts(with: [0x04, 8]):
            return Array(value.dropFirst(2))
        default: throw Certificate.malformed("its hwID is neither 64 bytes nor 8")
        }
    }
}
