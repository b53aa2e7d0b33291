// SPDX-License-Identifier: Apache-2.0
import Foundation
import LUKS
import PinKit
import Testing

/// What people point the program at by mistake: one clear line each.
@Suite struct ForeignVolumeTests {
    @Test func `a qcow2 image is told how to become a raw one`() throws {
        let image = try DiskImage(format: nil)
        try image.write([0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 3], at: 0)
        let words = refusal { _ = try image.volume.uuid() }
        #expect(words.hasPrefix("\(image.path): not LUKS2: a qcow2 image; convert it (qemu-img convert -O raw)"), "\(words)")
        #expect(words.contains("qemu-nbd"))
    }

    @Test func `a LUKS1 volume is told how to become LUKS2`() throws {
        let image = try DiskImage(format: nil)
        let format = [
            "luksFormat", "--batch-mode", "--type", "luks1", "--pbkdf-force-iterations", "1000", "--key-file", "-",
        ]
        try cryptsetup(format + [image.path], input: DiskImage.password).expectSuccess()
        let words = refusal { _ = try image.volume.uuid() }
        #expect(words == "\(image.path): not LUKS2: a LUKS1 volume; run: cryptsetup convert --type luks2 DEVICE")
    }

    @Test func `other data have no LUKS header`() throws {
        let image = try DiskImage(format: nil)
        #expect(refusal { _ = try image.volume.uuid() } == "\(image.path): not LUKS2: no LUKS header at its start")
    }

    @Test func `an empty file is said to be empty`() throws {
        let image = try DiskImage(format: nil)
        try Data().write(to: URL(fileURLWithPath: image.path))
        #expect(refusal { _ = try image.volume.uuid() } == "\(image.path): not LUKS2: it is empty")
    }

    @Test func `a missing file is said to be missing`() {
        let words = refusal { _ = try Volume("/nowhere/disk.img").uuid() }
        #expect(words == "/nowhere/disk.img: unreadable: open: No such file or directory")
    }

    @Test(arguments: ["/", "/dev/null"]) func `neither a folder nor a character device is a volume`(path: String) {
        #expect(refusal { _ = try Volume(path).uuid() } == "\(path): unreadable: open: neither a block device nor a file")
    }

    @Test func `a volume that its reader may not open is unreadable`() throws {
        let image = try DiskImage()
        // Root may open everything; a path through a file is what nobody may.
        let words = refusal { _ = try Volume("\(image.path)/x").uuid() }
        #expect(words == "\(image.path)/x: unreadable: open: Not a directory")
    }

    @Test func `a header cut off anywhere is refused`() throws {
        let image = try DiskImage()
        for length in [6, 15, 16, 4096, 20_000, 32_767] {
            try FileHandle(forWritingTo: URL(fileURLWithPath: image.path)).truncate(atOffset: UInt64(length))
            let words = refusal { _ = try image.volume.uuid() }
            #expect(words.contains("not LUKS2") || words.contains("malformed"), "\(length): \(words)")
        }
    }

    @Test func `a torn first header is read from the second`() throws {
        let (image, owner) = (try DiskImage(), try Owner())
        try owner.bind(image)
        try image.write([UInt8](repeating: 0, count: 4096), at: 0)
        #expect(try owner.unlock(image).keyslot == 1)
    }
}
