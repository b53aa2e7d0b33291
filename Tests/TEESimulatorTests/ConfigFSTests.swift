// SPDX-License-Identifier: Apache-2.0
import Glibc
import PinKit
import TEESimulator
import Testing

/// The simulated configfs through the kernel, by the system calls of a guest. Each test is a process of its own, as entering
/// the platform is for good. Without root or without /dev/fuse they fail, and say so.
struct ConfigFSTests {
    @Test func `a report directory has the kernel's files and modes`() async {
        await #expect(processExitsWith: .success) {
            try SimulatedPlatform(.snp(SNPSettings())).enter()
            let entry = try Entry()
            #expect(
                entry.names == [
                    "auxblob", "generation", "inblob", "outblob", "privlevel", "privlevel_floor", "provider",
                ])
            for name in ["auxblob", "generation", "outblob", "privlevel_floor", "provider"] {
                #expect(entry.mode(name) == S_IFREG | 0o444)
            }
            for name in ["inblob", "privlevel"] { #expect(entry.mode(name) == S_IFREG | 0o200) }
            #expect(try entry.text("provider") == "sev_guest\n")
            #expect(try entry.text("generation") == "0\n")
            #expect(try entry.text("privlevel_floor") == "0\n")
        }
    }

    @Test func `inblob counts when it is closed, and not before`() async {
        await #expect(processExitsWith: .success) {
            try SimulatedPlatform(.snp(SNPSettings())).enter()
            let entry = try Entry()
            let file = Kernel.open(entry.path("inblob"), O_WRONLY)
            // In two writes, over a descriptor that was duplicated and closed as a shell does.
            let second = dup(file)
            close(file)
            #expect(Kernel.write([UInt8](repeating: 1, count: 32), to: second) == 32)
            #expect(Kernel.write([UInt8](repeating: 2, count: 32), to: second) == 32)
            #expect(try entry.text("generation") == "0\n")
            #expect(throws: Failed(code: EINVAL)) { try entry.read("outblob") }
            close(second)
            #expect(try entry.text("generation") == "1\n")
            let report = try entry.read("outblob")
            #expect(Array(report[0x50..<0x90]) == [UInt8](repeating: 1, count: 32) + [UInt8](repeating: 2, count: 32))
        }
    }

    @Test func `opening without writing commits nothing`() async {
        await #expect(processExitsWith: .success) {
            try SimulatedPlatform(.snp(SNPSettings())).enter()
            let entry = try Entry()
            close(Kernel.open(entry.path("inblob"), O_WRONLY))
            #expect(try entry.text("generation") == "0\n")
        }
    }

    @Test func `more than 64 bytes are EFBIG`() async {
        await #expect(processExitsWith: .success) {
            try SimulatedPlatform(.snp(SNPSettings())).enter()
            let entry = try Entry()
            #expect(throws: Failed(code: EFBIG)) { try entry.write([UInt8](repeating: 1, count: 65), to: "inblob") }
            // The close still commits what was there, which is nothing.
            #expect(try entry.text("generation") == "1\n")
            #expect(throws: Failed(code: EINVAL)) { try entry.read("outblob") }
        }
    }

    @Test(arguments: [1, 32, 63])
    func `a wrong length shows only when the report is read`(count: Int) async {
        await #expect(processExitsWith: .success) { [count] in
            try SimulatedPlatform(.snp(SNPSettings())).enter()
            let entry = try Entry()
            try entry.write([UInt8](repeating: 1, count: count), to: "inblob")
            #expect(try entry.text("generation") == "1\n")
            #expect(throws: Failed(code: EINVAL)) { try entry.read("outblob") }
            try entry.write([UInt8](repeating: 1, count: 64), to: "inblob")
            #expect(try entry.read("outblob").count == 1184)
        }
    }

    @Test func `files are opened as their mode says, by root too`() async {
        await #expect(processExitsWith: .success) {
            try SimulatedPlatform(.snp(SNPSettings())).enter()
            let entry = try Entry()
            for (name, flags) in [
                ("inblob", O_RDWR), ("inblob", O_RDONLY), ("privlevel", O_RDONLY), ("outblob", O_RDWR),
                ("outblob", O_WRONLY), ("generation", O_WRONLY),
            ] {
                #expect(Kernel.open(entry.path(name), flags) == -EACCES, "\(name) \(flags)")
            }
            #expect(Kernel.open(entry.path("other"), O_WRONLY | O_CREAT) == -EACCES)
            #expect(Kernel.unlink(entry.path("inblob")) == -EPERM)
            #expect(Kernel.makeDirectory(entry.path("below")) == -EPERM)
        }
    }

    @Test func `blobs cannot be sought in, text can`() async {
        await #expect(processExitsWith: .success) {
            try SimulatedPlatform(.snp(SNPSettings())).enter()
            let entry = try Entry()
            try entry.write([UInt8](repeating: 1, count: 64), to: "inblob")
            for name in ["outblob", "auxblob"] {
                let file = Kernel.open(entry.path(name), O_RDONLY)
                #expect(lseek(file, 0, SEEK_SET) == -1 && errno == ESPIPE, "\(name)")
                close(file)
            }
            let file = Kernel.open(entry.path("generation"), O_RDONLY)
            #expect(lseek(file, 0, SEEK_SET) == 0)
            close(file)
        }
    }

    @Test func `every write counts, and the report stays until the next`() async {
        await #expect(processExitsWith: .success) {
            try SimulatedPlatform(.snp(SNPSettings())).enter()
            let entry = try Entry()
            try entry.write(Array("2\n".utf8), to: "privlevel")
            #expect(try entry.text("generation") == "1\n")
            try entry.write([UInt8](repeating: 1, count: 64), to: "inblob")
            let first = try entry.read("outblob")
            #expect(first[0x30] == 2)
            // ECDSA signatures differ each time, so the same bytes are the same report.
            #expect(try entry.read("outblob") == first)
            #expect(try entry.text("generation") == "2\n")
            try entry.write([UInt8](repeating: 1, count: 64), to: "inblob")
            #expect(try entry.read("outblob") != first)
            #expect(try entry.text("generation") == "3\n")
        }
    }

    @Test func `a privilege level below the floor, above 3 or not a number is EINVAL`() async {
        await #expect(processExitsWith: .success) {
            var settings = SNPSettings()
            settings.vmpl = 1
            try SimulatedPlatform(.snp(settings)).enter()
            let entry = try Entry()
            #expect(try entry.text("privlevel_floor") == "1\n")
            for text in ["0", "4", "-1", "two", "2 "] {
                #expect(throws: Failed(code: EINVAL)) { try entry.write(Array(text.utf8), to: "privlevel") }
            }
            #expect(try entry.text("generation") == "0\n")
            try entry.write([UInt8](repeating: 1, count: 64), to: "inblob")
            #expect(try entry.read("outblob")[0x30] == 1)
        }
    }

    @Test func `two readers of one entry get the same report`() async {
        await #expect(processExitsWith: .success) {
            try SimulatedPlatform(.snp(SNPSettings()), fault: .slow(20)).enter()
            let entry = try Entry()
            try entry.write([UInt8](repeating: 7, count: 64), to: "inblob")
            // The other reader is a process: this thread's namespace is its own.
            let copy = "/tmp/cvm-tee-sim-\(getpid())"
            defer { _ = Kernel.unlink(copy) }
            let other = Kernel.spawn(["/bin/sh", "-c", "cat '\(entry.path("outblob"))' > \(copy)"])
            let mine = try entry.read("outblob")
            #expect(Kernel.wait(for: other) == 0)
            #expect(try Kernel.contents(of: copy) == mine)
        }
    }

    @Test func `two entries know nothing of each other`() async {
        await #expect(processExitsWith: .success) {
            try SimulatedPlatform(.snp(SNPSettings())).enter()
            let first = try Entry("first")
            let second = try Entry("second")
            try first.write([UInt8](repeating: 1, count: 64), to: "inblob")
            #expect(try second.text("generation") == "0\n")
            #expect(throws: Failed(code: EINVAL)) { try second.read("outblob") }
            try second.write([UInt8](repeating: 2, count: 64), to: "inblob")
            #expect(try first.read("outblob")[0x50] == 1)
            #expect(try second.read("outblob")[0x50] == 2)
        }
    }

    @Test func `a directory is made once, goes away with its files, and open files know`() async {
        await #expect(processExitsWith: .success) {
            try SimulatedPlatform(.snp(SNPSettings())).enter()
            let entry = try Entry()
            #expect(Kernel.makeDirectory(entry.directory) == -EEXIST)
            let file = Kernel.open(entry.path("generation"), O_RDONLY)
            defer { close(file) }
            #expect(Kernel.removeDirectory(entry.directory) == 0)
            #expect(throws: Failed(code: ENOENT)) { try Kernel.contents(of: file) }
            #expect(Kernel.open(entry.directory, O_RDONLY) == -ENOENT)
            #expect(Kernel.removeDirectory(entry.directory) == -ENOENT)
            #expect(Kernel.makeDirectory("/sys/kernel/config/other") == -EPERM)
        }
    }

    @Test func `without a TEE there is no entry to be made`() async {
        await #expect(processExitsWith: .success) {
            try SimulatedPlatform(.none).enter()
            #expect(throws: Failed(code: ENXIO)) { try Entry() }
        }
    }
}
