// SPDX-License-Identifier: Apache-2.0
package import TEE

/// What a PCK certificate says of its platform: Intel's SGX extension (Intel SGX PCK Certificate and Certificate Revocation
/// List Profile Specification, §1.3.5).
package struct PCKIdentity: Sendable {
    /// 16 bytes: the processor, or the package whose keys the platform's come from.
    let ppid: [UInt8]
    /// 6 bytes: family, model, stepping, platform type and SKU.
    package let fmspc: [UInt8]
    /// 2 bytes.
    let pceID: [UInt8]
    /// Security version numbers of 16 parts of the platform that its PCK was derived for.
    package let components: [UInt8]
    let pceSVN: Int

    static let oid = "1.2.840.113741.1.13.1"
    /// 1.2.840.113741.1.13.1, DER contents; what is meant is told by the number behind it.
    private static let arc: [UInt8] = [0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01]
    private static let tcbComponentCount: UInt8 = 16

    /// Throws `.malformed` where the extension or a part of it that is used here is missing or not as specified.
    package init(_ certificate: Certificate) throws(EvidenceError) {
        guard let der = certificate.extensions[Self.oid] else {
            throw Certificate.malformed("its SGX extension (\(Self.oid)) is missing")
        }
        var reader = DERReader(der)
        guard let body = reader.next(DERReader.sequence), reader.isAtEnd,
            let parts = Self.parts(of: body, below: Self.arc),
            let tcb = parts.first(where: { $0.number == 2 && $0.tag == DERReader.sequence })?.contents,
            let levels = Self.parts(of: tcb, below: Self.arc + [2]), let components = Self.components(levels),
            let pceSVN = levels.first(where: { $0.number == 17 })?.integer(upTo: 0xffff),
            let ppid = Self.octets(parts, 1, count: 16), let pceID = Self.octets(parts, 3, count: 2),
            let fmspc = Self.octets(parts, 4, count: 6)
        else { throw Certificate.malformed("its SGX extension (\(Self.oid)) is not as specified") }
        self.ppid = ppid
        self.fmspc = fmspc
        self.pceID = pceID
        self.components = components
        self.pceSVN = pceSVN
    }

    private struct Part {
        let number: UInt8
        let tag: UInt8
        let contents: [UInt8]

        func integer(upTo maximum: Int) -> Int? {
            guard tag == DERReader.integer else { return nil }
            return DERReader.integer(contents, upTo: maximum)
        }
    }

    /// A sequence of {OID, value}, each once, all directly below `arc`; nil for anything else.
    private static func parts(of body: [UInt8], below arc: [UInt8]) -> [Part]? {
        var reader = DERReader(body)
        var parts: [Part] = []
        while !reader.isAtEnd {
            guard let pair = reader.next(DERReader.sequence) else { return nil }
            var inner = DERReader(pair)
            guard let oid = inner.next(DERReader.objectIdentifier), oid.count == arc.count + 1, oid.starts(with: arc),
                let number = oid.last, let value = inner.next(), inner.isAtEnd,
                !parts.contains(where: { $0.number == number })
            else { return nil }
            parts.append(Part(number: number, tag: value.tag, contents: value.contents))
        }
        return parts
    }

    private static func components(_ levels: [Part]) -> [UInt8]? {
        let found = (1...tcbComponentCount).compactMap { number in
            levels.first { $0.number == number }?.integer(upTo: 255).map { UInt8($0) }
        }
        return found.count == Int(tcbComponentCount) ? found : nil
    }

    private static func octets(_ parts: [Part], _ number: UInt8, count: Int) -> [UInt8]? {
        guard let part = parts.first(where: { $0.number == number }), part.tag == DERReader.octetString,
            part.contents.count == count
        else { return nil }
        return part.contents
    }
}
