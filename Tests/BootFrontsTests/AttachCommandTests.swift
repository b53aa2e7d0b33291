// SPDX-License-Identifier: Apache-2.0
import BootFronts
import Testing

@Suite struct AttachCommandTests {
    static func command(_ words: String...) -> [UInt8] { words.flatMap { Array($0.utf8) + [0] } }

    static func refusal(_ commandLine: [UInt8], _ volume: String = "root") -> String? {
        do throws(FrontError) {
            try AttachCommand(commandLine).check(opens: volume)
            return nil
        } catch {
            return error.description
        }
    }

    static func refusal(options: String) -> String? {
        refusal(command("/usr/bin/systemd-cryptsetup", "attach", "root", "/dev/vda2", "/run/cvm-clevis/key.socket", options))
    }

    @Test(arguments: [
        "header=/run/cvm-clevis/root.header", "luks,header=/run/cvm-clevis/root.header,headless=1,tries=1",
        "discard,header=/run/cvm-clevis/root.header",
    ]) func `who opens our copy is answered`(options: String) {
        #expect(AttachCommandTests.refusal(options: options) == nil)
    }

    @Test(arguments: [
        ("", "reads the header from the disk"), ("luks,discard", "reads the header from the disk"),
        ("xheader=/run/cvm-clevis/root.header", "reads the header from the disk"),
        ("header=/run/cvm-clevis/data.header", "another header"),
        ("header=/run/cvm-clevis/root.header.new", "another header"),
        ("header=/run/cvm-clevis/root.header,header=/dev/vdb", "another header"),
        ("header=/run/cvm-clevis/root.header:UUID=1", "another header"),
        ("header=/run/cvm-clevis/../cvm-clevis/root.header", "another header"),
        ("plain,header=/run/cvm-clevis/root.header", "not for LUKS"),
        ("header=/run/cvm-clevis/root.header,tcrypt-hidden", "not for LUKS"),
    ]) func `who opens anything else is refused`(options: String, reason: String) throws {
        let words = try #require(AttachCommandTests.refusal(options: options))
        #expect(AttachCommandTests.has(words, reason), "\(words)")
    }

    @Test func `the copy of one volume is no answer to another's name`() throws {
        let options = "header=/run/cvm-clevis/root.header"
        let line = AttachCommandTests.command("/usr/bin/systemd-cryptsetup", "attach", "root", "/dev/vda2", "-", options)
        #expect(AttachCommandTests.refusal(line, "data") == "it opens root, not data")
    }

    @Test func `another program's arguments are not those of an attach`() throws {
        let header = "header=/run/cvm-clevis/root.header"
        let others: [[String]] = [
            [], ["sleep", header], ["systemd-cryptsetup", "detach", "root"], ["a", "b", "attach", "root", "d", header],
        ]
        for words in others {
            let line = words.flatMap { word in Array(word.utf8) + [UInt8(0)] }
            #expect(AttachCommandTests.refusal(line) == "it is no 'systemd-cryptsetup attach'")
        }
    }

    @Test func `options without a key file before them are no options`() throws {
        let header = "header=/run/cvm-clevis/root.header"
        #expect(AttachCommandTests.refusal(AttachCommandTests.command("p", "attach", "root", "/dev/vda2", header)) != nil)
    }

    @Test func `a command line of any bytes is refused and not trapped on`() {
        for count in 0..<64 {
            #expect(AttachCommandTests.refusal([UInt8](repeating: 0, count: count)) != nil)
            #expect(AttachCommandTests.refusal([UInt8](repeating: 0xff, count: count)) != nil)
        }
        #expect(AttachCommandTests.refusal([UInt8](repeating: 1, count: 1 << 17)) == "its command line is too long")
    }

    static func has(_ text: String, _ part: String) -> Bool {
        text.indices.contains { text[$0...].hasPrefix(part) }
    }
}
