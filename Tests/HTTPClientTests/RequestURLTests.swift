// SPDX-License-Identifier: Apache-2.0
import HTTPClient
import Testing

@Suite struct RequestURLTests {
    @Test(arguments: [
        ("http://192.0.2.1", "192.0.2.1", 80, "/", "192.0.2.1"),
        ("http://a.example:7500/adv/x_-y", "a.example", 7500, "/adv/x_-y", "a.example:7500"),
        ("http://[2001:db8::1]:81/rec", "2001:db8::1", 81, "/rec", "[2001:db8::1]:81"),
        ("https://a.example", "a.example", 443, "/", "a.example"),
        ("HTTPS://a_b.example:80/", "a_b.example", 80, "/", "a_b.example:80"),
        ("https://a.example?q=1", "a.example", 443, "/?q=1", "a.example"),
        ("https://a.example/b%2f..c/.d?e=../f&g", "a.example", 443, "/b%2f..c/.d?e=../f&g", "a.example"),
    ]) func `an address is host, port and what is asked for`(
        url: String, host: String, port: UInt16, target: String, authority: String
    ) throws {
        let address = try #require(RequestURL(url))
        #expect(address.host == host && address.port == port && address.target == target && address.authority == authority)
        #expect(address.isEncrypted == url.lowercased().hasPrefix("https"))
    }

    @Test(arguments: [
        "", "http:", "http:/a.example", "ftp://a.example/", "://a.example", "http://", "http:///adv", "https://?q",
        "http://a:b@c.example/", "http://a.example:0/", "http://a.example:65536/", "http://a.example:/",
        "http://a.example:8x/", "http://a.example:+8/", "http://a.example/a/../b", "http://a.example/.",
        "http://a.example/#f",
        "http://a.example#f", "http://a.example/a b", "http://a.example/\r\nX: y", "http://a.example/\u{7f}",
        "http://a.example/ä", "http://ä.example/", "http://[::1", "http://[a.example]/", "http://[::1%25lo]/",
        "http://a.example\\b/", "http://a.example/\\b",
    ]) func `what two readers could take for different things is no address`(url: String) { #expect(RequestURL(url) == nil) }

    @Test func `an address of 2 KiB is the longest`() {
        let start = "http://a.example/"
        let length = 2048 - start.utf8.count
        #expect(RequestURL(start + String(repeating: "a", count: length)) != nil)
        #expect(RequestURL(start + String(repeating: "a", count: length + 1)) == nil)
    }
}
