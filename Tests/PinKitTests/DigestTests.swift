// SPDX-License-Identifier: Apache-2.0
import PinKit
import Testing

@Suite struct DigestTests {
    /// FIPS 180-4's example, and more than a block.
    @Test func `a checksum is SHA-256`() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        #expect(Hex.encode(Digest.checksum(Array("abc".utf8))) == abc)
        for count in [0, 63, 64, 16384] {
            let bytes = [UInt8](repeating: 0x5a, count: count)
            #expect(Digest.checksum(bytes) == Digest.sha256(bytes))
        }
    }
}
