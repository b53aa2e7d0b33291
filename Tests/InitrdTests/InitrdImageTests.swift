// SPDX-License-Identifier: Apache-2.0
import Foundation
import Initrd
import InitrdMaker
import Testing

/// Images in a folder that goes with it.
final class Images {
    let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("initrd-tests-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func path(_ bytes: [UInt8]) throws -> String {
        let file = folder.appendingPathComponent("\(UUID()).img")
        try Data(bytes).write(to: file)
        return file.path
    }

    func read(_ bytes: [UInt8], limits: InitrdImage.Limits = .init()) throws -> InitrdImage {
        try InitrdImage(path(bytes), limits: limits)
    }

    /// What is wrong with an image; empty where it can be read.
    func problem(_ bytes: [UInt8], limits: InitrdImage.Limits = .init()) throws -> String {
        let path = try path(bytes)
        do throws(InitrdError) {
            _ = try InitrdImage(path, limits: limits)
            return ""
        } catch {
            return error.reason
        }
    }

    /// By the program of that name.
    func compressed(_ bytes: [UInt8], by program: String) throws -> [UInt8] {
        let file = try path(bytes)
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [program, "-c", file]
        process.standardOutput = output
        try process.run()
        let compressed = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0 && !compressed.isEmpty, "\(program) failed")
        return Array(compressed)
    }
}

@Suite struct InitrdImageTests {
    let images: Images

    init() throws { images = try Images() }

    static func archive(_ files: [String: String]) -> [UInt8] {
        var archive = Archive()
        for (path, text) in files.sorted(by: { $0.key < $1.key }) { archive.file(path, text) }
        return archive.finished()
    }

    @Test(arguments: ["cat", "gzip", "xz", "zstd"])
    func `an archive is read, bare or compressed`(program: String) throws {
        var archive = Archive()
        archive.directory("etc")
        archive.file("etc/crypttab", "root UUID=1 none\n")
        archive.program("usr/bin/sh", [1, 2, 3])
        let bytes = program == "cat" ? archive.finished() : try images.compressed(archive.finished(), by: program)
        let image = try images.read(bytes)
        #expect(image.text("/etc/crypttab") == "root UUID=1 none\n")
        #expect(image.node(at: "/etc") == .directory && image.isProgram("/usr/bin/sh") && !image.isProgram("/etc/crypttab"))
        #expect(image.list("/etc") == ["crypttab"] && image.list("/etc/crypttab") == [] && image.list("/none") == [])
    }

    @Test func `a part of a file is read, and nothing around it`() throws {
        let archive = Self.archive(["etc/crypttab": "root"])
        let path = try images.path([1, 2, 3] + archive + Array("MZ".utf8))
        let image = try InitrdImage(path, part: 3..<3 + archive.count)
        #expect(image.text("/etc/crypttab") == "root")
        #expect(throws: InitrdError.self) { try InitrdImage(path, part: 3..<2 + archive.count) }
        #expect(throws: InitrdError.self) { try InitrdImage(path, part: 1 << 40..<1 << 41) }
    }

    @Test func `archives of all kinds follow each other, and the last one wins`() throws {
        var bytes = Self.archive(["etc/first": "1", "etc/same": "1"]) + [UInt8](repeating: 0, count: 512)
        bytes += try images.compressed(Self.archive(["etc/second": "2", "etc/same": "2"]), by: "gzip")
        bytes += try images.compressed(Self.archive(["etc/third": "3", "etc/same": "3"]), by: "xz")
        bytes += try images.compressed(Self.archive(["etc/fourth": "4", "etc/same": "4"]), by: "zstd")
        bytes += [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4 + 4)
        bytes += Self.archive(["etc/last": "5", "etc/same": "5"])
        let image = try images.read(bytes)
        #expect(image.list("/etc") == ["first", "fourth", "last", "same", "second", "third"])
        #expect(image.text("/etc/same") == "5" && image.text("/etc/third") == "3")
    }

    @Test func `links are followed inside of the image, and not in circles`() throws {
        var archive = Archive()
        archive.directory("usr/lib")
        archive.link("lib", to: "usr/lib")
        archive.file("lib/os-release", "ID=test")
        archive.link("etc/os-release", to: "../../../usr/lib/os-release")
        archive.link("etc/up", to: "/lib/./../lib")
        archive.link("etc/a", to: "b")
        archive.link("etc/b", to: "a")
        archive.link("etc/nowhere", to: "/etc/passwd")
        let image = try images.read(archive.finished())
        #expect(image.node(at: "/usr/lib/os-release") == .file(isExecutable: false))
        #expect(image.text("/etc/os-release") == "ID=test")
        #expect(image.resolve("/etc/up/os-release") == "/usr/lib/os-release")
        #expect(image.resolve("/etc/a") == nil && !image.exists("/etc/nowhere") && image.isNamed("/etc/nowhere"))
    }

    @Test func `one file by several names has its content by each`() throws {
        var archive = Archive()
        archive.file(["etc/a.conf", "etc/b.conf", "etc/c.conf"], "content")
        archive.file("etc/other", "other")
        let image = try images.read(archive.finished())
        #expect(["a", "b", "c"].allSatisfy { image.text("/etc/\($0).conf") == "content" })
        #expect(image.text("/etc/other") == "other")
    }

    @Test func `paths that lead out of the image are not in it`() throws {
        var archive = Archive()
        archive.file("../etc/evil", "1")
        archive.file("./etc/dot", "2")
        archive.file("/etc/slash", "3")
        let image = try images.read(archive.finished())
        #expect(image.list("/etc") == ["dot", "slash"])
    }

    @Test func `what a program needs is kept, and not the program`() throws {
        var archive = Archive()
        archive.program("usr/bin/cvm-clevis-unlock", ELFFile.make(needing: ["libc.so.6"], interpreter: "/lib64/ld.so"))
        archive.file("usr/lib/libc.so.6", ELFFile.make())
        archive.program("usr/bin/sh", ELFFile.make(needing: ["libc.so.6"]))
        let image = try images.read(archive.finished())
        let program = image.elf("/usr/bin/cvm-clevis-unlock")
        #expect(program?.needed == ["libc.so.6"] && program?.interpreter == "/lib64/ld.so")
        #expect(image.elf("/usr/lib/libc.so.6")?.needed == [] && image.elf("/usr/bin/sh") == nil)
        #expect(image.contents("/usr/bin/cvm-clevis-unlock") == nil)
    }

    // MARK: - What is not an image

    @Test func `what cannot be read is named`() throws {
        #expect(try images.problem([]) == "it is empty")
        #expect(try images.problem([UInt8](repeating: 0, count: 4096)) == "it is empty")
        #expect(try images.problem(Array("hello".utf8)) == "at 0 there is no archive")
        #expect(try images.problem([0x02, 0x21, 0x4c, 0x18, 0, 0]).contains("compressed by lz4, which is not read here"))
        #expect(try images.problem(Array("MZ..........".utf8)) == "at 0 it is an EFI program, and no archive")
        #expect(throws: InitrdError.self) { try InitrdImage("/nonexistent/initrd") }
        let odd = Self.archive(["a": "1"]) + [0, 0] + Self.archive(["b": "1"])
        #expect(try images.problem(odd).contains("is not where a kernel would see it"))
    }

    @Test(arguments: ["cat", "gzip", "xz", "zstd"])
    func `an image that is cut short is an error, wherever it is cut`(program: String) throws {
        let archive = Self.archive(["etc/a": "1", "etc/crypttab": String(repeating: "line\n", count: 20)])
        let bytes = program == "cat" ? archive : try images.compressed(archive, by: program)
        for length in stride(from: 1, to: bytes.count, by: program == "cat" ? 7 : 1) {
            #expect(try !images.problem(Array(bytes[..<length])).isEmpty, "cut at \(length)")
        }
    }

    @Test(arguments: ["cat", "gzip", "xz", "zstd"])
    func `an image with any byte changed is read or is an error`(program: String) throws {
        let archive = Self.archive(["etc/a": "1", "etc/crypttab": String(repeating: "line\n", count: 20)])
        let bytes = program == "cat" ? archive : try images.compressed(archive, by: program)
        for position in bytes.indices {
            var changed = bytes
            changed[position] ^= 0xff
            _ = try images.problem(changed)
        }
    }

    @Test func `a file that claims to be larger than the image costs nothing`() throws {
        var bytes = Self.archive(["crypttab": "1"])
        bytes.replaceSubrange(54..<62, with: "f0000000".utf8)
        #expect(try images.problem(bytes) == "it is cut short")
        bytes.replaceSubrange(54..<62, with: "+0000001".utf8)
        #expect(try images.problem(bytes).contains("its archive is broken"))
    }

    @Test func `an image that unpacks to too much is an error`() throws {
        var limits = InitrdImage.Limits()
        limits.unpacked = 1 << 20
        let zeros = [UInt8](repeating: 0, count: 8 << 20)
        let bomb = try images.compressed(zeros, by: "gzip")
        #expect(try images.problem(bomb, limits: limits).contains("1 MiB that are looked at"))
        var large = Archive()
        large.file("large", zeros)
        #expect(try images.problem(large.finished(), limits: limits).contains("1 MiB that are looked at"))
        limits = InitrdImage.Limits()
        limits.files = 3
        #expect(try images.problem(Self.archive(["a": "", "b": "", "c": ""]), limits: limits).contains("the 3 files"))
        limits = InitrdImage.Limits()
        limits.texts = 3
        #expect(try images.problem(Self.archive(["etc/a": "12", "etc/b": "34"]), limits: limits).contains("text files"))
    }
}
