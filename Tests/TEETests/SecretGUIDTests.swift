// SPDX-License-Identifier: Apache-2.0
import TEE
import Testing

struct SecretGUIDTests {
    @Test func `a GUID is stored with its first three groups turned round`() throws {
        let guid = try #require(SecretGUID("00112233-4455-6677-8899-aabbccddeeff"))
        #expect(
            guid.stored == [
                0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
            ])
        #expect(guid.description == "00112233-4455-6677-8899-aabbccddeeff")
    }

    @Test(arguments: [
        "", "00112233445566778899aabbccddeeff", "00112233-4455-6677-8899-aabbccddeeF0",
        "0011223-34455-6677-8899-aabbccddeeff",
        "00000000-0000-0000-0000-000000000000", "00112233-4455-6677-8899-aabbccddeeff ",
        "{0112233-4455-6677-8899-aabbccddeeff",
        "00112233-4455-6677-8899-aabbccddee-ff",
    ])
    func `only one way of writing is taken, and never zeros`(text: String) { #expect(SecretGUID(text) == nil) }

    @Test func `random ones are of version 4 and all different`() throws {
        let guids = try (0..<100).map { _ in try SecretGUID.random() }
        #expect(Set(guids).count == 100)
        for guid in guids {
            #expect(SecretGUID(guid.description) == guid)
            #expect(Array(guid.description)[14] == "4" && "89ab".contains(Array(guid.description)[19]))
        }
    }
}
