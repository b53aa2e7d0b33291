// SPDX-License-Identifier: Apache-2.0
import Diagnosis
import InitrdMaker
import LUKS
import Testing

@Suite struct InitrdNeedsTests {
    @Test func `the initrd's boot.json must be the root's`() throws {
        let stage = try BootStage()
        stage.initrd["etc/cvm-clevis/boot.json"]? += [10]
        #expect(try stage.problems() == ["fails boot-config initrd: its boot.json is another one than the root's"])
        stage.initrd["etc/cvm-clevis/boot.json"] = nil
        #expect(try stage.problems() == ["fails boot-config initrd: it has no /etc/cvm-clevis/boot.json"])
    }

    @Test func `it must say that it is an initrd`() throws {
        let stage = try BootStage()
        stage.initrd["etc/initrd-release"] = nil
        #expect(
            try stage.problems() == ["fails front initrd: it has no /etc/initrd-release, so a failure would not power off"])
    }

    @Test func `the program must be there, with what it needs and what that needs`() throws {
        let stage = try BootStage()
        stage.library("usr/lib/x86_64-linux-gnu/libcryptsetup.so.12", ["libc.so.6", "libjson-c.so.5"])
        stage.initrd["usr/lib64/ld.so"] = nil
        #expect(
            try stage.problems() == [
                "fails library initrd: /lib64/ld.so is missing, which /usr/bin/cvm-clevis-unlock needs",
                "fails library initrd: libjson-c.so.5 is missing, which "
                    + "/usr/lib/x86_64-linux-gnu/libcryptsetup.so.12 needs",
            ])
        stage.programs.remove("usr/bin/cvm-clevis-unlock")
        #expect(try stage.problems() == ["fails program initrd: /usr/bin/cvm-clevis-unlock is not there, or cannot be run"])
        stage.text("usr/bin/cvm-clevis-unlock", "#!/bin/sh\n")
        stage.programs.insert("usr/bin/cvm-clevis-unlock")
        #expect(
            try stage.problems() == [
                "fails program initrd: /usr/bin/cvm-clevis-unlock is no program of this kind of machine"
            ])
    }

    @Test func `a pin that asks a server needs libssl, a network card's driver and the network`() throws {
        let stage = try BootStage(pins: ["tang"])
        #expect(
            try stage.problems() == [
                "warning unit initrd: its units do not wait for the network, which pins ask over",
                "fails library initrd: libssl.so.3 is missing, for tang",
                "fails module initrd: the driver for a network card that confidential VMs have is missing: "
                    + "virtio_net or gve or hv_netvsc or mana or ena, for \(BootStage.release)",
                "fails network initrd: a pin asks over the network, and nothing in it brings that up",
            ])
        stage.library("usr/lib/x86_64-linux-gnu/libssl.so.3", ["libcrypto.so.3"])
        stage.driver("virtio_net")
        stage.program("usr/lib/systemd/systemd-networkd")
        stage.text("etc/systemd/system/cvm-clevis-key.service.d/50-network.conf", "")
        #expect(
            try stage.problems() == [
                "fails library initrd: libcrypto.so.3 is missing (/usr/lib/x86_64-linux-gnu/libssl.so.3 needs it), for tang"
            ])
        stage.library("usr/lib/x86_64-linux-gnu/libcrypto.so.3")
        stage.text("usr/lib/dracut-lib.sh", "")
        #expect(
            try stage.problems() == [
                "fails command-line initrd: dracut brings up the network only with rd.neednet=1, which is nowhere"
            ])
        stage.text("etc/cmdline.d/50-cvm-clevis.conf", "rd.neednet=1 rd.shell=0\n")
        #expect(try stage.problems() == [])
    }

    @Test func `a pin that asks the TPM needs its libraries and a driver`() throws {
        let stage = try BootStage(pins: ["tpm2"])
        for library in ["esys", "mu", "rc"] { stage.library("usr/lib/x86_64-linux-gnu/libtss2-\(library).so.0") }
        #expect(
            try stage.problems() == [
                "fails library initrd: libtss2-tcti-device.so.0 is missing, for tpm2",
                "fails module initrd: the driver for the TPM is missing: tpm_crb or tpm_tis, for \(BootStage.release)",
            ])
        stage.library("usr/lib/x86_64-linux-gnu/libtss2-tcti-device.so.0")
        stage.driver("tpm_tis")
        #expect(try stage.problems() == [])
    }

    @Test func `an attested pin needs its driver, and a kernel that has one`() throws {
        let stage = try BootStage(pins: ["tdx-attest"])
        func drivers() throws -> [String] {
            try stage.problems().filter { $0.contains(" module ") || $0.contains(" kernel ") }
        }
        stage.driver("virtio_net")
        #expect(
            try drivers() == [
                "fails module initrd: the driver for TDX quotes is missing: tdx_guest, for \(BootStage.release)",
                "fails module initrd: the driver for quotes through configfs-tsm is missing: "
                    + "tsm or tsm_report or tsm_reports, for \(BootStage.release)",
            ])
        stage.root["boot/config-\(BootStage.release)"] = "CONFIG_TDX_GUEST_DRIVER=m\n# CONFIG_TSM_REPORTS is not set\n"
        stage.driver("tdx-guest")
        #expect(
            try drivers() == [
                "fails kernel kernel \(BootStage.release): it has no driver for quotes through configfs-tsm: "
                    + "it was built without CONFIG_TSM_REPORTS"
            ])
    }

    @Test func `a driver needs what modules.dep says`() throws {
        let stage = try BootStage()
        stage.initrd["\(BootStage.modules)/kernel/md/dm-mod.ko.xz"] = nil
        #expect(try stage.problems() == ["fails module initrd: kernel/md/dm-mod.ko.xz is missing, which dm_crypt needs"])
        stage.initrd["\(BootStage.modules)/kernel/md/dm-crypt.ko.xz"] = nil
        #expect(
            try stage.problems() == [
                "fails module initrd: the driver for encrypted volumes is missing: dm_crypt, for \(BootStage.release)"
            ])
    }

    @Test func `systemd must know how to ask`() throws {
        let stage = try BootStage()
        stage.initrd["usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-257.so"] = nil
        stage.library("usr/lib/systemd/libsystemd-shared-247.so")
        let found = try stage.problems()
        #expect(found.count == 1 && found[0].hasPrefix("fails systemd initrd: it has systemd 247, and only 249 and later"))
    }

    @Test func `an initrd that cannot be read is a failure with its reason`() throws {
        let stage = try BootStage()
        stage.appended = Array("MZ".utf8)
        let found = try stage.problems()
        #expect(
            found.count == 1 && found[0].hasPrefix("fails initrd ")
                && found[0].contains("it is an EFI program, and no archive"))
    }
}
