// SPDX-License-Identifier: Apache-2.0
import Foundation
import PinKit
import TEE
import Testing

@Suite struct RuntimeRegisterTests {
    @Test func `it is extended by writing a digest to the kernel's file`() throws {
        let root = FileManager.default.temporaryDirectory.appendingPathComponent("cvm-rtmr-\(UUID())")
        try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: root) }
        let register = RuntimeRegister(root: root.path)
        let digest = [UInt8](repeating: 5, count: 48)
        #expect(!register.isOffered)
        #expect(throws: PinError(.failed)) { try register.extend(by: digest) }
        let file = root.appendingPathComponent("rtmr3:sha384")
        try Data().write(to: file)
        #expect(register.isOffered)
        try register.extend(by: digest)
        #expect(try Array(Data(contentsOf: file)) == digest)
        #expect(throws: PinError(.malformed)) { try register.extend(by: [1]) }
    }
}
