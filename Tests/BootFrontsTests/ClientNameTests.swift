// SPDX-License-Identifier: Apache-2.0
import BootFronts
import Testing

@Suite struct ClientNameTests {
    @Test func `systemd-cryptsetup's address names its volume`() {
        #expect(ClientName.volume(of: [0] + Array("5f3c01d2aa9912ee/cryptsetup/root".utf8)) == "root")
        #expect(ClientName.volume(of: [0] + Array("0/cryptsetup/data-1".utf8)) == "data-1")
    }

    @Test(arguments: [
        "", "/run/x/cryptsetup/root", "\0", "\0a/cryptsetup/", "\0a/cryptsetup/root/more", "\0a/cryptsetups/root",
        "\0cryptsetup/root", "\0a/cryptsetup/ro\0ot", "\0a/cryptsetup/ro ot", "\0a/b/cryptsetup/root",
    ]) func `any other address names none`(address: String) {
        #expect(ClientName.volume(of: Array(address.utf8)) == nil)
    }
}
