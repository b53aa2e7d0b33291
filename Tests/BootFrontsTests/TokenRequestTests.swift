// SPDX-License-Identifier: Apache-2.0
import BootFronts
import PinKit
import Testing

@Suite struct TokenRequestTests {
    static let head = "cvm-clevis key 1\nuuid 0d6bf2a0-6a53-4b4f-9d0a-0f1b5c2f9e11\ntoken 3\n"

    @Test func `a request is read`() throws {
        let request = try TokenRequest(Array("\(TokenRequestTests.head)metadata 7\n{\"a\":1}".utf8))
        #expect(request.token == 3 && request.uuid == "0d6bf2a0-6a53-4b4f-9d0a-0f1b5c2f9e11" && request.metadata == ["a": 1])
    }

    @Test(arguments: [
        "", "cvm-clevis key 2\n", "\(head)", "\(head)metadata 7\n{\"a\":1", "\(head)metadata 7\n{\"a\":1}\n",
        "\(head)metadata -1\n", "\(head)metadata 07\n{\"a\":1}",
        "\(head)metadata 99999999999999999999\n{}", "\(head)metadata 8388609\n{}",
        "\(head)metadata 3\n{a}", "cvm-clevis key 1\nuuid x\ntoken 32\nmetadata 2\n{}",
        "cvm-clevis key 1\nuuid \ntoken 3\nmetadata 2\n{}",
        "cvm-clevis key 1\ntoken 3\nuuid x\nmetadata 2\n{}",
    ]) func `one that is cut, longer than it says or of another version is refused`(message: String) {
        #expect(throws: FrontError.self) { try TokenRequest(Array(message.utf8)) }
    }

    @Test func `every beginning of a request is refused`() {
        let whole = Array("\(TokenRequestTests.head)metadata 7\n{\"a\":1}".utf8)
        for count in 0..<whole.count { #expect(throws: FrontError.self) { try TokenRequest(Array(whole[..<count])) } }
    }
}
