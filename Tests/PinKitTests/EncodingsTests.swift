// SPDX-License-Identifier: Apache-2.0
import PinKit
import Testing

@Suite struct EncodingsTests {
    /// RFC 4648 §10.
    static let vectors = [
        ("", "", ""), ("f", "Zg", "Zg=="), ("fo", "Zm8", "Zm8="), ("foo", "Zm9v", "Zm9v"), ("foob", "Zm9vYg", "Zm9vYg=="),
        ("fooba", "Zm9vYmE", "Zm9vYmE="), ("foobar", "Zm9vYmFy", "Zm9vYmFy"),
    ]

    @Test(arguments: vectors) func `base64 and base64url follow the RFC's vectors`(
        plain: String, url: String, padded: String
    ) {
        let bytes = Array(plain.utf8)
        #expect(Base64URL.encode(bytes) == url)
        #expect(Base64URL.decode(url) == bytes)
        #expect(Base64.encode(bytes) == padded)
        #expect(Base64.decode(padded) == bytes)
    }

    @Test(arguments: ["Z", "Zg==", "Zh", "Zm9vY", "Zm+v", "Zm/v", "Zm 9v", "Zm9v\n", "é"])
    func `base64url has one text for one value`(text: String) {
        #expect(Base64URL.decode(text) == nil)
    }

    @Test(arguments: ["Zg", "Zg=", "Zg===", "Z===", "====", "Zm-v", "Zm_v", "=Zg="])
    func `base64 wants its padding and its alphabet`(text: String) {
        #expect(Base64.decode(text) == nil)
    }

    @Test(arguments: ["0", "0g", "0x", " 00"]) func `hexadecimal is pairs of digits`(text: String) {
        #expect(Hex.decode(text) == nil)
        #expect(Hex.decode("00fFA0").map { Hex.encode($0) } == "00ffa0")
    }
}
