// SPDX-License-Identifier: Apache-2.0
internal import PinKit
internal import TEE

/// Certificates in PEM one after the other (RFC 7468, strict), as quotes and Intel's service carry them. One NUL may end it.
enum PEMChain {
    private static let begin = Array("-----BEGIN CERTIFICATE-----".utf8)
    private static let end = Array("-----END CERTIFICATE-----".utf8)
    /// Real ones have 4 KiB.
    static let maximumSize = 32 << 10

    /// DER of exactly `count` certificates. Throws `.malformed` for another number of them and for any text between them.
    static func certificates(in text: [UInt8], count: Int, step: String) throws(EvidenceError) -> [[UInt8]] {
        guard text.count <= maximumSize else {
            throw EvidenceError(.malformed, step: step, detail: "\(text.count) bytes are too many")
        }
        guard let certificates = blocks(of: text.last == 0 ? text.dropLast() : text[...]), certificates.count == count else {
            throw EvidenceError(.malformed, step: step, detail: "not \(count) certificates in PEM")
        }
        return certificates
    }

    private static func blocks(of text: ArraySlice<UInt8>) -> [[UInt8]]? {
        var blocks: [[UInt8]] = []
        var content: [UInt8] = []
        var isOpen = false
        for var line in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            switch (isOpen, line.elementsEqual(isOpen ? end : begin)) {
            case (false, true): (isOpen, content) = (true, [])
            case (false, false): guard line.isEmpty else { return nil }
            case (true, false): content += line
            case (true, true):
                guard let der = Base64.decode(String(decoding: content, as: UTF8.self)) else { return nil }
                blocks.append(der)
                isOpen = false
            }
        }
        return isOpen ? nil : blocks
    }
}
