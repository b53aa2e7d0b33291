// SPDX-License-Identifier: Apache-2.0
import Foundation
import Initrd
import Testing

@Suite struct DirectoryTreeTests {
    @Test func `links lead nowhere out of the root`() throws {
        let images = try Images()
        let etc = images.folder.appendingPathComponent("root/etc")
        try FileManager.default.createDirectory(at: etc, withIntermediateDirectories: true)
        try Data("inside".utf8).write(to: etc.appendingPathComponent("own"))
        for (name, target) in [("absolute", "/etc/own"), ("passwd", "/etc/passwd"), ("above", "../../../../etc/own")] {
            try FileManager.default.createSymbolicLink(
                atPath: etc.appendingPathComponent(name).path, withDestinationPath: target)
        }
        let tree = DirectoryTree(images.folder.path + "/root/")
        #expect(tree.text("/etc/absolute") == "inside" && tree.text("/etc/above") == "inside")
        #expect(!tree.exists("/etc/passwd") && tree.isNamed("/etc/passwd"))
        #expect(tree.list("/etc") == ["above", "absolute", "own", "passwd"])
        #expect(tree.contents("/etc/own", limit: 5) == nil && tree.contents("/etc") == nil)
    }

    @Test func `a device is not read`() {
        #expect(DirectoryTree("/").contents("/dev/zero") == nil)
        #expect(DirectoryTree("/").exists("/dev/zero") && !DirectoryTree("/").isProgram("/dev/zero"))
    }
}
