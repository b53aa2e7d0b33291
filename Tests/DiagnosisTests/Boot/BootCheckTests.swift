// SPDX-License-Identifier: Apache-2.0
import Diagnosis
import LUKS
import PinKit
import Testing

@Suite struct BootCheckTests {
    @Test func `a system that would boot has no problems`() throws {
        let stage = try BootStage()
        let diagnosis = try stage.check()
        #expect(diagnosis.problems == [])
        #expect(diagnosis.boots && diagnosis.findings.last?.text == "nothing is seen that keeps a volume closed")
        #expect(diagnosis.json["version"] == 1 && diagnosis.json["boots"] == true)
        #expect(diagnosis.json["initrd"]?.string == diagnosis.initrd)
    }

    // MARK: - boot.json and the volume

    @Test func `boot.json must be there, and be one`() throws {
        let stage = try BootStage()
        stage.root["etc/cvm-clevis/boot.json"] = "{}"
        #expect(try stage.problems() == ["fails boot-config /etc/cvm-clevis/boot.json: version: is missing"])
        stage.root = [:]
        let diagnosis = try stage.check()
        #expect(diagnosis.problems == ["fails boot-config /etc/cvm-clevis/boot.json: it is not there, or cannot be read"])
        #expect(!diagnosis.boots && diagnosis.findings.last?.text == "1 thing would keep it from opening its volumes")
    }

    @Test func `the volume must be the one of boot.json`() throws {
        let stage = try BootStage()
        let other = "0d6bf2a0-6a53-4b4f-9d0a-0f1b5c2f9e11"
        stage.root["etc/cvm-clevis/boot.json"] = try stage.bootConfig(pins: ["null"], uuid: other)
        #expect(
            try stage.problems().first
                == "fails device volume root: \(stage.stage.path) has the UUID \(stage.uuid), and boot.json says \(other)")
        stage.device = "\(stage.stage.path).none"
        #expect(try stage.problems().first?.hasPrefix("fails device volume root: ") == true)
        stage.device = nil
        #expect(try stage.problems().first == "warning device volume root: it is not looked at: where it is was not said")
    }

    @Test func `a binding by another owner, or with a pin that is not allowed, is none`() throws {
        let stage = try BootStage()
        let stranger = try SigningKey.generate().publicKey
        stage.root["etc/cvm-clevis/boot.json"] = try stage.bootConfig(pins: ["null"], owner: stranger)
        let found = try stage.problems()
        #expect(found[0].hasPrefix("fails untrusted volume root: token 0: signature: "))
        #expect(found[1] == "fails binding volume root: no binding of \(stage.stage.path) would be accepted")
        stage.root["etc/cvm-clevis/boot.json"] = try stage.bootConfig(pins: ["tpm2"])
        #expect(try stage.problems()[0].contains("token 0: boot configuration: pin null is not among those allowed"))
    }

    @Test func `a binding that is refused keeps nothing closed where another is accepted`() throws {
        let stage = try BootStage()
        try stage.stage.bind("null", by: SigningKey.generate())
        let diagnosis = try stage.check()
        #expect(diagnosis.boots)
        #expect(diagnosis.problems.count == 1)
        #expect(diagnosis.problems[0].hasPrefix("warning untrusted volume root: token 1: signature: "))
    }

    // MARK: - Who opens it

    @Test(arguments: [
        ("x-initrd.attach", "our fronts would not answer: it reads the header from the disk"),
        ("header=/etc/root.header", "our fronts would not answer: it opens another header"),
        ("header=/run/cvm-clevis/root.header,plain", "our fronts would not answer: its option plain is not for LUKS"),
    ])
    func `crypttab must have what the front wants`(options: String, problem: String) throws {
        let stage = try BootStage()
        stage.text("etc/crypttab", "root UUID=\(stage.uuid) /run/cvm-clevis/key.socket \(options)\n")
        let found = try stage.problems()
        #expect(found.count == 1 && found[0].hasPrefix("fails crypttab initrd: root: \(problem)"))
    }

    @Test(arguments: [
        ("root UUID=LUKS /etc/key header=/run/cvm-clevis/root.header", "its key is read from /etc/key, not from our socket"),
        ("root UUID=0000 LINE", "crypttab opens UUID=0000, and boot.json is for UUID=LUKS"),
        ("disk UUID=LUKS LINE", "crypttab calls it disk, and boot.json root"),
    ])
    func `crypttab must be about the volume and our socket`(line: String, problem: String) throws {
        let stage = try BootStage()
        func filled(_ text: String) -> String {
            text.replacing("LUKS", with: stage.uuid).replacing("LINE", with: BootStage.line)
        }
        stage.text("etc/crypttab", "# a comment\n\(filled(line))\n")
        #expect(try stage.problems() == ["fails crypttab initrd: root: \(filled(problem))"])
    }

    @Test func `the kernel's command line may say it in place of crypttab`() throws {
        let stage = try BootStage()
        stage.initrd["etc/crypttab"] = nil
        #expect(
            try stage.problems() == ["fails front volume root: nothing opens it: neither the initrd nor crypttab names it"])
        let words = [
            "rd.luks.name=\(stage.uuid)=root", "rd.luks.key=\(stage.uuid)=/run/cvm-clevis/key.socket",
            "rd.luks.options=\(stage.uuid)=header=/run/cvm-clevis/root.header,tries=1",
        ]
        stage.commandLine = words.joined(separator: " ")
        #expect(try stage.problems() == [])
        stage.commandLine = words.dropLast().joined(separator: " ")
        #expect(try stage.problems()[0].contains("it reads the header from the disk"))
        stage.commandLine = words.dropLast().joined(separator: " ") + " rd.luks.options=header=/run/cvm-clevis/root.header"
        #expect(try stage.problems() == [])
        stage.commandLine += " rd.luks=0"
        #expect(
            try stage.problems()
                == ["fails command-line kernel command line: rd.luks=0 keeps systemd from opening any volume"])
    }

    @Test func `units must be there and enabled`() throws {
        let stage = try BootStage()
        stage.initrd["etc/systemd/system/sysinit.target.wants/cvm-clevis-key.socket"] = nil
        stage.initrd["usr/lib/systemd/system/cvm-clevis-headers.service"] = nil
        stage.initrd["usr/lib/systemd/systemd-cryptsetup"] = nil
        #expect(
            try stage.problems() == [
                "fails unit initrd: systemd-cryptsetup is not there",
                "fails unit initrd: cvm-clevis-headers.service is not there",
                "fails unit initrd: cvm-clevis-key.socket is not enabled",
            ])
    }

    @Test func `a volume without a key is opened by the agent, or by the token plugin`() throws {
        let stage = try BootStage()
        stage.text("etc/crypttab", "root UUID=\(stage.uuid) none header=/run/cvm-clevis/root.header\n")
        #expect(
            try stage.problems() == [
                "fails unit initrd: cvm-clevis-agent.service is not there",
                "fails unit initrd: cvm-clevis-agent.path is not there",
            ])
        stage.text("etc/crypttab", "root UUID=\(stage.uuid)\n")
        let found = try stage.problems()
        #expect(found.count == 1 && found[0].hasPrefix("fails unit initrd: nothing answers: "))
        stage.library("usr/lib/x86_64-linux-gnu/cryptsetup/libcryptsetup-token-clevis.so")
        #expect(try stage.problems() == [])
    }

    @Test func `where nobody is asked for a passphrase, none can be typed`() throws {
        let stage = try BootStage(onFailure: .prompt)
        stage.text("etc/crypttab", "root UUID=\(stage.uuid) \(BootStage.line),headless=1\n")
        #expect(
            try stage.problems() == [
                "warning crypttab initrd: root: headless: nobody is asked for a passphrase, though boot.json says prompt"
            ])
    }

    private let givesShell =
        "warning shell initrd: a failed boot gives a shell to whoever holds the console, which boot.json does not allow"

    @Test func `dracut's loop needs no systemd`() throws {
        let stage = try BootStage()
        for path in stage.initrd.keys where path.hasPrefix("etc/systemd") || path == "etc/crypttab" {
            stage.initrd[path] = nil
        }
        stage.text("var/lib/dracut/hooks/initqueue/settled/50-cvm-clevis-open.sh", "")
        #expect(try stage.problems() == [givesShell])
        stage.text("etc/cmdline.d/50-cvm-clevis.conf", "rd.shell=0 rd.emergency=poweroff\n")
        #expect(try stage.problems() == [])
    }

    @Test func `nor does the script of initramfs-tools`() throws {
        let stage = try BootStage()
        stage.initrd["etc/crypttab"] = nil
        stage.program("scripts/local-top/cvm-clevis")
        #expect(try !stage.check().boots)
        stage.text("scripts/local-top/ORDER", "/scripts/local-top/cvm-clevis \"$@\"\n")
        #expect(try stage.problems() == [givesShell])
        stage.text("scripts/panic/ORDER", "/scripts/panic/cvm-clevis \"$@\"\n")
        #expect(try stage.problems() == [])
    }

    @Test func `a shell is given only where boot.json allows one`() throws {
        for allowed in [false, true] {
            let stage = try BootStage(onFailure: allowed ? .shell : .prompt)
            stage.initrd["etc/systemd/system/emergency.service.d/50-cvm-clevis.conf"] = nil
            #expect(try stage.problems() == (allowed ? [] : [givesShell]))
        }
    }

    @Test func `a volume that is opened later needs all that in the root`() throws {
        let stage = try BootStage(isLate: true)
        stage.initrd["etc/crypttab"] = nil
        stage.root["etc/crypttab"] = "root UUID=\(stage.uuid) \(BootStage.line)\n"
        #expect(
            try stage.problems() == [
                "fails unit crypttab: systemd-cryptsetup is not there",
                "fails unit crypttab: cvm-clevis-headers.service is not there",
                "fails unit crypttab: cvm-clevis-key.service is not there",
                "fails unit crypttab: cvm-clevis-key.socket is not there",
                "fails program root: /usr/bin/cvm-clevis-unlock is not there, or cannot be run",
            ])
        stage.root["etc/crypttab"] = "root UUID=\(stage.uuid) \(BootStage.line),x-initrd.attach\n"
        let found = try stage.problems()
        #expect(found.count == 1 && found[0].hasPrefix("fails front volume root: crypttab leaves it to the initrd"))
    }

    @Test func `an initrd that names a late volume opens it for nobody`() throws {
        let stage = try BootStage(isLate: true)
        let found = try stage.problems()
        #expect(found.count == 1 && found[0].hasPrefix("fails front volume root: nothing opens it"))
    }

    @Test func `a volume that is opened later and not said to be late keeps the initrd waiting`() throws {
        let stage = try BootStage()
        stage.initrd["etc/crypttab"] = nil
        stage.root["etc/crypttab"] = "root UUID=\(stage.uuid) \(BootStage.line)\n"
        let waits = "warning boot-config volume root: the initrd waits for its disk"
        #expect(try stage.problems().contains { $0.hasPrefix(waits) })
    }

    @Test func `without an initrd it is said that none was looked at`() throws {
        let stage = try BootStage()
        let diagnosis = try stage.check(withInitrd: false)
        #expect(diagnosis.boots && diagnosis.initrd == nil && diagnosis.json["initrd"] == nil)
        #expect(
            diagnosis.problems == [
                "warning initrd : no initrd was found to look at",
                "warning front volume root: crypttab does not name it, so an initrd would have to open it",
            ])
    }
}
