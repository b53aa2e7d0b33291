// SPDX-License-Identifier: Apache-2.0
import PinKit
import Testing

@Suite struct KeyTextTests {
    @Test func `the text of a key is the one that clevis seals`() throws {
        let key = SecretBytes(copyingPublic: [UInt8](repeating: 0, count: 32))
        #expect(
            string(KeyText.write(key))
                == #"{"alg":"A256GCM","k":"\#(String(repeating: "A", count: 43))","key_ops":["encrypt","decrypt"],"kty":"oct"}"#
                + "\n")
    }

    @Test(arguments: [
        #"{"kty":"oct","key_ops":["encrypt","decrypt"],"alg":"A256GCM","k":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}"#,
        #"{ "k" : "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" }"#,
    ])
    func `the text of a key may have another order, spaces and no newline`(text: String) throws {
        let key = try KeyText.read(SecretBytes(copyingPublic: Array(text.utf8)))
        let isEqual = key.equals(SecretBytes(copyingPublic: Array(0..<32)))
        #expect(isEqual)
    }

    @Test(arguments: [
        "", "{", #""k""#, #""k":"#, #""k":""#, #"{"k":"AAEC"}"#, #"{"k":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"#,
        #"{"k":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9"}"#, #"{"k":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8A"}"#,
    ])
    func `what is no key is malformed`(text: String) throws {
        #expect(throws: PinError(.malformed)) { _ = try KeyText.read(SecretBytes(copyingPublic: Array(text.utf8))).count }
    }

    private func string(_ secret: borrowing SecretBytes) -> String {
        unsafe secret.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
    }
}
