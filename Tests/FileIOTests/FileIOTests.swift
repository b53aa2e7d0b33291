// SPDX-License-Identifier: Apache-2.0
import FileIO
import Glibc
import PinKit
import Testing

@Suite struct FileIOTests {
    let directory: String

    init() {
        var template = Array("/tmp/cvm-clevis-test-XXXXXX\0".utf8CString)
        directory = unsafe String(cString: mkdtemp(&template))
    }

    @Test func `a new file holds what was written, with its mode, and is not overwritten`() throws {
        let path = "\(directory)/key"
        try FileIO.createSecret(path, SecretBytes(copyingPublic: [1, 2, 3]))
        var status = stat()
        #expect(unsafe stat(path, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
        #expect(try FileIO.read(path, limit: 3) == [1, 2, 3])
        #expect(throws: FileError.self) { try FileIO.create(path, []) }
    }

    @Test func `a file over the limit is refused, one at it is not`() throws {
        let path = "\(directory)/four"
        try FileIO.create(path, [1, 2, 3, 4])
        #expect(throws: FileError.self) { _ = try FileIO.read(path, limit: 3) }
        #expect(throws: FileError.self) { _ = try FileIO.readSecret(path, limit: 3) }
        #expect(try FileIO.readSecret(path, limit: 4).count == 4)
    }

    @Test(arguments: [("first\nsecond", 5), ("only", 4), ("\nsecond", 0), ("", 0)])
    func `a secret line ends at the first newline and leaves the rest`(text: String, length: Int) throws {
        let path = "\(directory)/\(text.utf8.count)"
        try FileIO.create(path, Array(text.utf8))
        let descriptor = unsafe open(path, O_RDONLY)
        defer { close(descriptor) }
        #expect(try FileIO.readSecret(descriptor, limit: 64, line: true, name: path).count == length)
        #expect(lseek(descriptor, 0, SEEK_CUR) == min(length + 1, text.utf8.count))
    }

    @Test func `a missing file is named with the reason`() throws {
        let error = try #require(throws: FileError.self) { _ = try FileIO.read("\(directory)/none", limit: 1) }
        #expect(error.description == "\(directory)/none: No such file or directory")
    }

    @Test(arguments: [0, 1, 65536, 65537, 200_000])
    func `a part of a file comes in whole pieces, and no more than the file has`(count: Int) throws {
        let path = "\(directory)/\(count)"
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) }
        try FileIO.create(path, bytes)
        for (offset, wanted) in [(0, count), (0, count + 10), (3, count), (count, 1), (count + 9, 5)] {
            var pieces: [[UInt8]] = []
            unsafe try FileIO.read(path, from: offset, count: wanted) { unsafe pieces.append(Array($0)) }
            #expect(pieces.flatMap { $0 } == Array(bytes.dropFirst(offset).prefix(wanted)))
            #expect(pieces.dropLast().allSatisfy { $0.count == FileIO.pieceSize })
        }
    }

    @Test func `only a regular file has a size`() throws {
        try FileIO.create("\(directory)/three", [1, 2, 3])
        #expect(try FileIO.size("\(directory)/three") == 3)
        #expect(throws: FileError.self) { try FileIO.size("/dev/null") }
        #expect(unsafe mkfifo("\(directory)/pipe", 0o600) == 0)
        let error = try #require(throws: FileError.self) { try FileIO.size("\(directory)/pipe") }
        #expect(error.reason == "is not a regular file")
    }

    @Test func `replacing leaves no draft behind`() throws {
        let path = "\(directory)/a/b/settings"
        try FileIO.makeDirectory("\(directory)/a/b")
        try FileIO.replace(path, [1])
        try FileIO.replace(path, [2])
        #expect(try FileIO.read(path, limit: 1) == [2])
        #expect(!FileIO.exists("\(path).new"))
    }

    @Test func `a file is private when nobody but its owner has a right to it`() throws {
        try FileIO.createSecret("\(directory)/secret", SecretBytes(copyingPublic: [1]))
        try FileIO.create("\(directory)/group", [1], mode: 0o640)
        #expect(try FileIO.isPrivate("\(directory)/secret"))
        #expect(try !FileIO.isPrivate("\(directory)/group"))
        #expect(throws: FileError.self) { try FileIO.isPrivate("\(directory)/missing") }
    }

    @Test func `a directory's names are listed without itself and its parent`() throws {
        #expect(try FileIO.names(in: directory).isEmpty)
        try FileIO.create("\(directory)/.hidden", [])
        try FileIO.create("\(directory)/seen", [])
        #expect(try FileIO.names(in: directory).sorted() == [".hidden", "seen"])
        #expect(throws: FileError.self) { try FileIO.names(in: "\(directory)/seen") }
    }
}
