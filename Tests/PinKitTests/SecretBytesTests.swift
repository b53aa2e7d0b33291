// SPDX-License-Identifier: Apache-2.0
import PinKit
import Testing

@Suite struct SecretBytesTests {
    @Test(arguments: [0..<4, 1..<5, 3..<9])
    func `a slice outside the bytes is nil`(range: Range<Int>) {
        let secret = SecretBytes(copyingPublic: [1, 2, 3])
        let isNil = secret.slice(range) == nil
        #expect(isNil)
    }

    @Test func `slices and joins keep the bytes`() throws {
        let secret = SecretBytes(copyingPublic: [1, 2, 3, 4])
        guard let tail = secret.slice(2..<4), let head = secret.slice(0..<2) else {
            Issue.record("both ranges are inside")
            return
        }
        #expect(bytes(of: tail.appending(head)) == [3, 4, 1, 2])
    }

    @Test(arguments: [([1, 2], [1, 2], true), ([1, 2], [1, 3], false), ([1, 2], [1], false), ([], [], true)])
    func `only equal bytes are equal`(left: [UInt8], right: [UInt8], equal: Bool) {
        #expect(SecretBytes(copyingPublic: left).equals(SecretBytes(copyingPublic: right)) == equal)
    }

    @Test func `an error while filling leaves no value`() {
        #expect(throws: PinError(.failed)) {
            _ = try unsafe SecretBytes(count: 8) { (_) throws(PinError) in throw PinError(.failed) }
        }
    }

    @Test func `base64url of a secret is the text of its bytes`() {
        let secret = SecretBytes(copyingPublic: [0xfb, 0xff, 0x00, 0x01])
        #expect(bytes(of: secret.base64URL) == Array("-_8AAQ".utf8))
    }
}

func bytes(of secret: borrowing SecretBytes) -> [UInt8] { unsafe secret.withUnsafeBytes { unsafe Array($0) } }
