// SPDX-License-Identifier: Apache-2.0
import Foundation
import Initrd
import InitrdMaker
import Testing

@Suite struct ELFTests {
    @Test func `it says what it needs, where to look for that, and what loads it`() throws {
        let file = ELFFile.make(
            needing: ["liba.so.1", "libb.so.2"], searching: "/opt/a:/opt/b", interpreter: "/lib64/ld.so")
        let elf = try #require(ELF(file))
        #expect(elf.needed == ["liba.so.1", "libb.so.2"])
        #expect(elf.searched == ["/opt/a", "/opt/b"] && elf.interpreter == "/lib64/ld.so")
        #expect(ELF(ELFFile.make()) != nil)
    }

    @Test func `the shell of this machine can be read`() throws {
        let shell = try #require(ELF(Array(Data(contentsOf: URL(fileURLWithPath: "/bin/sh")))))
        #expect(shell.needed.contains { $0.hasPrefix("libc.") } && shell.interpreter?.contains("ld-linux") == true)
    }

    @Test func `what is no program is none`() {
        #expect(ELF([]) == nil && ELF(Array("#!/bin/sh\n".utf8)) == nil)
        var foreign = ELFFile.make()
        foreign[4] = 1
        #expect(ELF(foreign) == nil)
    }

    @Test func `any byte may be wrong, and any may be missing`() {
        let file = ELFFile.make(needing: ["liba.so.1"], searching: "/opt/a", interpreter: "/lib64/ld.so")
        for position in file.indices {
            for value: UInt8 in [0, 0x7f, 0xff] {
                var changed = file
                changed[position] = value
                _ = ELF(changed)
            }
            _ = ELF(Array(file[..<position]))
        }
    }
}
