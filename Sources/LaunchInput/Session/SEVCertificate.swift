// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// A certificate in the SEV API's own format (its appendix C, "SEV certificate"), 2084 bytes: a key on P-384 and what it is
/// for, with up to two signatures.
struct SEVCertificate {
    static let length = 2084
    /// Version, API, and the key with its use: what signatures are over.
    private static let signedLength = 0x414

    enum Usage: UInt32 {
        case ask = 0x13
        /// The owner's certificate authority of a platform.
        case oca = 0x1001
        /// The platform's endorsement key.
        case pek = 0x1002
        /// The platform's key for agreeing on others.
        case pdh = 0x1003
        /// The chip's endorsement key.
        case cek = 0x1004
    }

    enum Algorithm: UInt32 {
        case rsaSHA256 = 0x1
        case ecdsaSHA256 = 0x2
        case ecdhSHA256 = 0x3
        case rsaSHA384 = 0x101
        case ecdsaSHA384 = 0x102
        case ecdhSHA384 = 0x103
    }

    struct Signature {
        let usage: UInt32
        let algorithm: UInt32
        let field: [UInt8]
    }

    let key: P384PublicKey
    let signed: [UInt8]
    let signatures: [Signature]

    /// `bytes`: 2084. `name` for messages. Throws for another version, use or curve.
    init(_ bytes: ArraySlice<UInt8>, as usage: Usage, named name: String) throws(PinError) {
        func malformed(_ detail: String) -> PinError {
            PinError(.malformed, step: "read the certificate of the \(name)", detail: detail)
        }
        let bytes = Array(bytes)
        guard bytes.count == Self.length else { throw malformed("it has \(bytes.count) bytes, not \(Self.length)") }
        guard bytes[..<4].littleEndian == 1 else { throw malformed("it is not of version 1") }
        guard bytes[8..<12].littleEndian == UInt64(usage.rawValue) else { throw malformed("its key is for another use") }
        guard let key = P384PublicKey(field: bytes[0x10..<0x414]) else { throw malformed("its key is not one on P-384") }
        self.key = key
        signed = Array(bytes[..<Self.signedLength])
        signatures = [0x414, 0x61c].map { start in
            Signature(
                usage: UInt32(truncatingIfNeeded: bytes[start..<start + 4].littleEndian),
                algorithm: UInt32(truncatingIfNeeded: bytes[start + 4..<start + 8].littleEndian),
                field: Array(bytes[start + 8..<start + 520]))
        }
    }

    func isSigned(by issuer: SEVCertificate, as usage: Usage) -> Bool {
        signatures.contains { signature in
            guard signature.usage == usage.rawValue, let value = P384Signature(field: signature.field[...]) else {
                return false
            }
            switch Algorithm(rawValue: signature.algorithm) {
            case .ecdsaSHA256: return issuer.key.verifies(value, over: signed, .sha256)
            case .ecdsaSHA384: return issuer.key.verifies(value, over: signed, .sha384)
            default: return false
            }
        }
    }

    func isSigned(by issuer: AMDSigningKey) -> Bool {
        signatures.contains { $0.usage == Usage.ask.rawValue && issuer.verifies($0.field, over: signed, $0.algorithm) }
    }

    /// One that nobody signs: what an owner agrees with. The firmware knows its maker by the session alone.
    static func unsignedAgreement(_ key: P384PublicKey) -> [UInt8] {
        let head = UInt32(1).littleEndianBytes + [0, 0, 0, 0] + Usage.pdh.rawValue.littleEndianBytes
        let body = head + Algorithm.ecdhSHA256.rawValue.littleEndianBytes + key.field
        let noSignature = UInt32(0x1000).littleEndianBytes + [UInt8](repeating: 0, count: 516)
        return body + noSignature + noSignature
    }
}
