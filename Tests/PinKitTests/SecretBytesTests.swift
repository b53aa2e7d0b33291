// SPDX-License-Identifier: Apache-2.0
import PinKit
import Testing

@Suite struct SecretBytesTests {
    @Test func `a slice outside the bytes is nil`() {
        let secret = SecretBytes(copyingPublic: [1, 2, 3])
        #expect(secret.slice(1..<4) == nil)
    }
}
