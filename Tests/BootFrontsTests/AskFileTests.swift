// SPDX-License-Identifier: Apache-2.0
import BootFronts
import PinKit
import Testing

@Suite struct AskFileTests {
    static let text = """
        [Ask]
        PID=4711
        Socket=/run/systemd/ask-password/sck.1f2e3d
        AcceptCached=1
        Echo=0
        NotAfter=120000000
        Silent=0
        Message=Please enter passphrase for disk = root (root):
        Id=cryptsetup:/dev/disk/by-uuid/0d6bf2a0

        """

    @Test func `a question of systemd-cryptsetup is read`() throws {
        let ask = try AskFile(Array(AskFileTests.text.utf8))
        #expect(ask.process == 4711 && ask.socket == "/run/systemd/ask-password/sck.1f2e3d")
        #expect(ask.notAfter == 120_000_000 && ask.isForVolume)
    }

    @Test func `systemd 257 writes two slashes before the socket's name`() throws {
        let socket = "/run/systemd/ask-password//sck.84c87c71fd3070b8"
        #expect(try AskFile(Array("PID=5\nSocket=\(socket)\nId=cryptsetup:/dev/vda\n".utf8)).socket == socket)
    }

    @Test func `one of another program is not for a volume`() throws {
        let text = "[Ask]\nPID=5\nSocket=/run/systemd/ask-password/sck.1\nId=login:root\n"
        let ask = try AskFile(Array(text.utf8))
        #expect(!ask.isForVolume && ask.notAfter == 0)
    }

    @Test(arguments: [
        "", "[Ask]\n", "PID=5\n", "PID=5\nSocket=/tmp/sck.1\n", "PID=5\nSocket=/run/systemd/ask-password/\n",
        "PID=5\nSocket=/run/systemd/ask-password/../x\n", "PID=5\nSocket=/run/systemd/ask-password//\n",
        "PID=5\nSocket=/run/systemd/ask-password\(String(repeating: "/", count: 80))sck.1\n",
        "PID=1\nSocket=/run/systemd/ask-password/sck.1\n",
        "PID=-5\nSocket=/run/systemd/ask-password/sck.1\n", "PID=99999999999\nSocket=/run/systemd/ask-password/sck.1\n",
        "PID=5\nSocket=/run/systemd/ask-password/sck.1\nNotAfter=soon\n",
    ]) func `one that cannot be answered is refused`(text: String) {
        #expect(throws: FrontError.self) { try AskFile(Array(text.utf8)) }
    }

    @Test func `an answer is a plus sign, the passphrase and a zero byte`() throws {
        let answer = try AskFile.answer(SecretBytes(copyingPublic: Array("abc".utf8)))
        let isExpected = answer.equals(SecretBytes(copyingPublic: Array("+abc\0".utf8)))
        #expect(isExpected)
    }

    @Test(arguments: ["", "a\0b", "a\nb"]) func `a passphrase that a prompt would cut is not sent`(passphrase: String) {
        #expect(throws: FrontError.self) {
            _ = try AskFile.answer(SecretBytes(copyingPublic: Array(passphrase.utf8))).count
        }
    }
}
