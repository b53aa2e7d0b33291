// SPDX-License-Identifier: Apache-2.0

/// What a kernel would unpack from an initrd: archives one after another, each of them bare or compressed by gzip, xz or zstd.
/// What comes later replaces what came before.
///
/// Only what is asked for below is held in memory: paths, links, small text files, and what programs and libraries need.
package struct InitrdImage: FileTree {
    package struct Limits: Sendable {
        /// Bytes of all archives together, decompressed.
        package var unpacked = 4 << 30
        package var files = 500_000
        /// Bytes of a file that is kept, and of all of them.
        package var text = 4 << 20
        package var texts = 64 << 20

        package init() {}
    }

    private var nodes: [String: FileNode] = ["/": .directory]
    private var texts: [String: [UInt8]] = [:]
    private var executables: [String: ELF] = [:]
    private var children: [String: Set<String>] = [:]

    package func node(at path: String) -> FileNode? { nodes[path] }
    package func executable(at path: String) -> ELF? { executables[path] }
    package func names(in path: String) -> [String] { Array(children[path] ?? []) }

    package func bytes(at path: String, limit: Int) -> [UInt8]? {
        texts[path].flatMap { $0.count <= limit ? $0 : nil }
    }

    /// `part`: where it lies in the file, if it is not the whole of it. Not negative.
    package init(_ path: String, part: Range<Int>? = nil, limits: Limits = Limits()) throws(InitrdError) {
        var reading = Reading(path, limits)
        let source = ByteStream(file: path, part: part)
        while try source.skipZeros() {
            let magic = Array(try source.peek(6))
            if CPIOHeader.begins(magic) {
                guard source.offset.isMultiple(of: 4) else {
                    throw InitrdError(
                        path: path, reason: "the archive at \(source.offset) is not where a kernel would see it")
                }
                try reading.archive(source, into: &self)
            } else if let kind = Inflater.Kind(magic: magic) {
                try reading.archives(of: kind, source, into: &self)
            } else {
                throw InitrdError(path: path, reason: "at \(source.offset) \(InitrdImage.unreadable(magic))")
            }
        }
        guard reading.archives > 0 else { throw InitrdError(path: path, reason: "it is empty") }
    }

    private static func unreadable(_ magic: [UInt8]) -> String {
        let others: [(String, [UInt8])] = [
            ("lz4", [0x02, 0x21, 0x4c, 0x18]), ("lz4", [0x04, 0x22, 0x4d, 0x18]), ("bzip2", Array("BZh".utf8)),
            ("lzma", [0x5d, 0, 0]), ("lzo", [0x89, 0x4c, 0x5a, 0x4f]),
        ]
        if let other = others.first(where: { magic.starts(with: $0.1) }) {
            return "it is compressed by \(other.0), which is not read here: only gzip, xz and zstd are"
        }
        if magic.starts(with: "MZ".utf8) {
            return "it is an EFI program, and no archive"
        }
        return "there is no archive"
    }
}

// MARK: - What is put in

extension InitrdImage {
    fileprivate enum Content {
        case none
        case text([UInt8])
        case executable(ELF)
    }

    fileprivate mutating func put(_ node: FileNode, at path: String, _ content: Content) {
        // As a kernel does, which keeps a directory that is there.
        if node == .directory, nodes[path] == .directory { return }
        nodes[path] = node
        (texts[path], executables[path]) = (nil, nil)
        switch content {
        case .none: break
        case .text(let bytes): texts[path] = bytes
        case .executable(let needs): executables[path] = needs
        }
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        let parent = slash == path.startIndex ? "/" : String(path[..<slash])
        children[parent, default: []].insert(String(path[path.index(after: slash)...]))
    }
}

/// The state of reading one image.
private struct Reading {
    let path: String
    private let limits: InitrdImage.Limits
    private(set) var archives = 0
    private var unpacked = 0
    private var files = 0
    private var kept = 0
    /// Of the archive that is being read: names of files whose content comes with another name.
    private var waiting: [CPIOHeader.Identity: [String]] = [:]

    init(_ path: String, _ limits: InitrdImage.Limits) { (self.path, self.limits) = (path, limits) }

    mutating func archives(
        of kind: Inflater.Kind, _ source: ByteStream, into image: inout InitrdImage
    ) throws(InitrdError) {
        let inflater = try Inflater(kind, from: source, path)
        // Also what lies between archives: zeros cost next to nothing in a compressed stream.
        let (limit, tooMuch) = (limits.unpacked, tooMuch)
        var inflated = 0
        let stream = ByteStream(path) { () throws(InitrdError) in
            let piece = try inflater.next()
            inflated += piece.count
            guard inflated <= limit else { throw tooMuch }
            return piece
        }
        while try stream.skipZeros() { try archive(stream, into: &image) }
    }

    mutating func archive(_ stream: ByteStream, into image: inout InitrdImage) throws(InitrdError) {
        archives += 1
        waiting = [:]
        while true {
            let start = stream.offset
            guard let header = CPIOHeader(try stream.take(CPIOHeader.length)) else {
                throw failure("its archive is broken at byte \(start) of \(stream.offset)")
            }
            let name = try stream.take(header.nameSize)
            try stream.skip(Self.padding(CPIOHeader.length + header.nameSize))
            try count(stream.offset - start + header.size)
            let end = name.firstIndex(of: 0) ?? name.endIndex
            let text = String(decoding: name[..<end], as: UTF8.self)
            if text == "TRAILER!!!" { return }
            try file(header, text, stream, into: &image)
            try stream.skip(Self.padding(header.size))
        }
    }

    private static func padding(_ count: Int) -> Int { (4 - count % 4) % 4 }

    private mutating func count(_ bytes: Int) throws(InitrdError) {
        files += 1
        unpacked += bytes
        guard files <= limits.files, unpacked <= limits.unpacked else { throw tooMuch }
    }

    private var tooMuch: InitrdError {
        failure("it holds more than the \(limits.files) files or \(limits.unpacked >> 20) MiB that are looked at")
    }

    private mutating func file(
        _ header: CPIOHeader, _ name: String, _ stream: ByteStream, into image: inout InitrdImage
    ) throws(InitrdError) {
        guard let place = place(of: name, in: image) else { return try stream.skip(header.size) }
        switch header.kind {
        case .directory:
            try stream.skip(header.size)
            image.put(.directory, at: place, .none)
        case .link:
            guard header.size <= CPIOHeader.maximumName else { throw failure("the link \(place) is too long") }
            image.put(.link(String(decoding: try stream.take(header.size), as: UTF8.self)), at: place, .none)
        case .other:
            try stream.skip(header.size)
            image.put(.other, at: place, .none)
        case .file:
            let content = try content(header, place, stream)
            var places = [place]
            // Of the names of one file the last has the content.
            if header.links > 1 {
                places += waiting[header.identity] ?? []
                waiting[header.identity] = header.size == 0 ? places : nil
            }
            for place in places { image.put(.file(isExecutable: header.isExecutable), at: place, content) }
        }
    }

    private mutating func content(
        _ header: CPIOHeader, _ place: String, _ stream: ByteStream
    ) throws(InitrdError) -> InitrdImage.Content {
        if InitrdImage.isExecutable(place), header.size <= ELF.maximumFile {
            return ELF(try stream.take(header.size)).map { .executable($0) } ?? .none
        }
        guard InitrdImage.isKept(place), header.size <= limits.text else {
            try stream.skip(header.size)
            return .none
        }
        kept += header.size
        guard kept <= limits.texts else { throw failure("its text files are larger than \(limits.texts) bytes together") }
        return .text(try stream.take(header.size))
    }

    /// Where the kernel puts it: through the links that are there already. nil for a path that leads out of the image, or
    /// into a directory that is not there.
    private func place(of name: String, in image: InitrdImage) -> String? {
        let parts = name.split(separator: "/").filter { $0 != "." }
        guard let last = parts.last, !parts.contains("..") else { return nil }
        let directory = "/" + parts.dropLast().joined(separator: "/")
        let resolved = image.node(at: directory) == .directory ? directory : image.resolve(directory)
        guard let parent = resolved, image.node(at: parent) == .directory else { return nil }
        return parent == "/" ? "/\(last)" : "\(parent)/\(last)"
    }

    private func failure(_ reason: String) -> InitrdError { InitrdError(path: path, reason: reason) }
}

extension InitrdImage {
    fileprivate static func isExecutable(_ path: String) -> Bool {
        path.hasPrefix("/usr/bin/cvm-clevis") || path.hasPrefix("/bin/cvm-clevis") || path.contains(".so")
            || path.hasSuffix("/systemd-cryptsetup")
    }

    /// What is configuration, and the lists of modules.
    fileprivate static func isKept(_ path: String) -> Bool {
        if path.hasPrefix("/etc/") || path.hasPrefix("/conf/") { return true }
        if path.hasSuffix("-release") || path.hasSuffix("/ORDER") { return true }
        return path.hasSuffix("/modules.dep") || path.hasSuffix("/modules.builtin")
    }
}
