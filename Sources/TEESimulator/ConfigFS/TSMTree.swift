// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// configfs with one subsystem in it, `tsm/report`, apart from how the kernel asks for it: nodes by number, open files by
/// handle.
///
/// Follows fs/configfs/file.c and drivers/virt/coco in what a program can observe, errors included. Not thread-safe, as
/// the one loop that calls it needs no lock.
final class TSMTree {
    /// Numbers of the fixed directories; 1 is FUSE's root.
    enum Node: Equatable {
        case root, tsm, report
        case entry(UInt64)
        case attribute(TSMAttribute, of: UInt64)
    }

    private struct OpenFile {
        let entry: UInt64
        let attribute: TSMAttribute
        /// What is being written to inblob; nil until there is a write, however it ended.
        var pending: [UInt8]?
        /// What the first read found.
        var content: [UInt8]?
    }

    /// nil: no driver has registered, as outside of a confidential VM.
    private let provider: (any TSMProvider)?
    private let races: Bool
    private var items: [UInt64: (name: String, item: TSMReportItem)] = [:]
    private var files: [UInt64: OpenFile] = [:]
    private var lastEntry: UInt64 = 0
    private var lastFile: UInt64 = 0

    /// `races`: after each answer somebody else writes to the entry.
    init(provider: (any TSMProvider)?, races: Bool = false) {
        self.provider = provider
        self.races = races
    }

    // MARK: - Directories

    func lookUp(_ name: String, in parent: Node) throws(Errno) -> Node {
        switch parent {
        case .root where name == "tsm": return .tsm
        case .tsm where name == "report": return .report
        case .report:
            guard let entry = items.first(where: { $0.value.name == name }) else { throw .noSuchFile }
            return .entry(entry.key)
        case .entry(let entry):
            guard items[entry] != nil, let attribute = attributes.first(where: { $0.rawValue == name }) else {
                throw .noSuchFile
            }
            return .attribute(attribute, of: entry)
        default: throw .noSuchFile
        }
    }

    private var attributes: [TSMAttribute] { provider?.attributes ?? [] }

    func children(of node: Node) throws(Errno) -> [(name: String, node: Node)] {
        switch node {
        case .root: return [("tsm", .tsm)]
        case .tsm: return [("report", .report)]
        case .report: return items.map { ($0.value.name, .entry($0.key)) }.sorted { $0.name < $1.name }
        case .entry(let entry):
            guard items[entry] != nil else { throw .noSuchFile }
            return attributes.map { ($0.rawValue, .attribute($0, of: entry)) }
        case .attribute: throw Errno(code: ENOTDIR)
        }
    }

    /// Whether `node` is still there.
    func exists(_ node: Node) -> Bool {
        switch node {
        case .root, .tsm, .report: true
        case .entry(let entry), .attribute(_, of: let entry): items[entry] != nil
        }
    }

    func makeDirectory(_ name: String, in parent: Node) throws(Errno) -> Node {
        guard parent == .report else { throw .notPermitted }
        guard let provider else { throw .noSuchDevice }
        guard !items.values.contains(where: { $0.name == name }) else { throw .exists }
        lastEntry += 1
        items[lastEntry] = (name, TSMReportItem(privlevel: provider.privlevelFloor))
        return .entry(lastEntry)
    }

    /// Files of it that are open stay so, and every use of them fails with ENOENT.
    func removeDirectory(_ name: String, in parent: Node) throws(Errno) {
        guard case .entry(let entry) = try lookUp(name, in: parent) else { throw .notPermitted }
        items[entry] = nil
    }

    // MARK: - Files

    /// configfs looks at the mode itself, so that root too may not read a write-only file: O_RDWR on inblob is EACCES.
    func open(_ attribute: TSMAttribute, of entry: UInt64, flags: Int32) throws(Errno) -> UInt64 {
        guard items[entry] != nil else { throw .noSuchFile }
        let access = flags & O_ACCMODE
        guard access == (attribute.isWritable ? O_WRONLY : O_RDONLY) else { throw .accessDenied }
        lastFile += 1
        files[lastFile] = OpenFile(entry: entry, attribute: attribute)
        return lastFile
    }

    /// The content is what it was at the first read of this open file.
    func read(_ file: UInt64, at offset: Int, count: Int) throws(Errno) -> ArraySlice<UInt8> {
        guard let open = files[file] else { throw Errno(code: EBADF) }
        let content: [UInt8]
        if let known = open.content {
            content = known
        } else {
            content = try self.content(of: open.attribute, of: open.entry)
            // An empty binary attribute is asked for again, as the kernel does.
            if !content.isEmpty { files[file]?.content = content }
        }
        return content.dropFirst(max(0, offset)).prefix(count)
    }

    func write(_ bytes: [UInt8], to file: UInt64, at offset: Int) throws(Errno) {
        guard let open = files[file] else { throw Errno(code: EBADF) }
        switch open.attribute {
        case .inblob: try append(bytes, to: file, at: offset)
        case .privlevel: try store(bytes, privlevelOf: open.entry)
        default: throw .accessDenied
        }
    }

    /// The last close. What was written to inblob counts only now, and nobody hears whether it was taken.
    func release(_ file: UInt64) {
        guard let open = files.removeValue(forKey: file), let pending = open.pending else { return }
        items[open.entry]?.item.commit(inblob: pending)
    }

    private func append(_ bytes: [UInt8], to file: UInt64, at offset: Int) throws(Errno) {
        var pending = files[file]?.pending ?? []
        // Also a write that fails makes the close a commit, of what was there before.
        defer { files[file]?.pending = pending }
        guard offset >= 0, offset <= TSMReportItem.maximumInblob, offset + bytes.count <= TSMReportItem.maximumInblob else {
            throw .tooBig
        }
        let end = offset + bytes.count
        if pending.count < end { pending += [UInt8](repeating: 0, count: end - pending.count) }
        pending.replaceSubrange(offset..<end, with: bytes)
    }

    private func store(_ text: [UInt8], privlevelOf entry: UInt64) throws(Errno) {
        guard let floor = provider?.privlevelFloor, var item = items[entry]?.item else { throw .noSuchFile }
        try item.store(privlevel: text, floor: floor)
        items[entry]?.item = item
    }

    private func content(of attribute: TSMAttribute, of entry: UInt64) throws(Errno) -> [UInt8] {
        guard let provider, let item = items[entry]?.item else { throw .noSuchFile }
        switch attribute {
        case .outblob: return try blobs(of: entry, from: provider).outblob
        case .auxblob: return try blobs(of: entry, from: provider).auxblob
        case .generation: return Array("\(item.generation)\n".utf8)
        case .provider: return Array("\(provider.name)\n".utf8)
        case .privlevelFloor: return Array("\(provider.privlevelFloor)\n".utf8)
        case .inblob, .privlevel: throw .accessDenied
        }
    }

    private func blobs(of entry: UInt64, from provider: any TSMProvider) throws(Errno) -> TSMBlobs {
        guard var item = items[entry]?.item else { throw .noSuchFile }
        let blobs = try item.blobs(from: provider)
        if races { item.disturb() }
        items[entry]?.item = item
        return blobs
    }
}
