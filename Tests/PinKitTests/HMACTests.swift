// SPDX-License-Identifier: Apache-2.0
import PinKit
import Testing

@Suite struct HMACTests {
    /// RFC 4231 §4.3.
    @Test func `it is that of RFC 4231`() throws {
        let key = SecretBytes(copyingPublic: Array("Jefe".utf8))
        let text = "what do ya want for nothing?"
        #expect(
            try Hex.encode(key.hmac("SHA256", of: text))
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        let long = try key.hmac("SHA384", of: text)
        #expect(long.count == 48 && Hex.encode(long).hasPrefix("af45d2e376484031617f78d2b58a6b1b"))
    }

    @Test func `a hash that does not exist is an error`() {
        let key = SecretBytes(copyingPublic: Array("Jefe".utf8))
        #expect(throws: PinError(.failed)) { try key.hmac("SHA0", of: "text") }
    }
}
