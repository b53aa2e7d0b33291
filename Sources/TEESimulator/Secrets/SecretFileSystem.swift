// SPDX-License-Identifier: Apache-2.0
internal import CFUSE
internal import Glibc
internal import TEE

/// The directory in which Linux shows an SEV guest its owner's secrets (drivers/virt/coco/efi_secret): a file of mode 0440 for
/// each, which can be read and removed and nothing else. Removing overwrites the secret, for files that are open as well.
@safe final class SecretFileSystem: @unchecked Sendable {
    fileprivate struct Entry {
        let name: String
        var bytes: [UInt8]
        var isRemoved = false
    }

    /// A file's number is its place here, and 2. Touched by the one thread that answers.
    fileprivate var entries: [Entry]
    private var session: FuseSession?

    init(_ secrets: [SimulatedSecret], at path: String) throws(SimulatorError) {
        entries = secrets.map { Entry(name: $0.guid.description, bytes: $0.bytes) }
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        session = try unsafe FuseSession(secretOperations(), context, at: path)
    }

    func serve() throws(SimulatorError) { try session?.serve(keeping: self) }
}

extension SecretFileSystem {
    fileprivate static let root = fuse_ino_t(FUSE_ROOT_ID)

    fileprivate func place(of name: String) throws(Errno) -> Int {
        guard let place = entries.firstIndex(where: { $0.name == name && !$0.isRemoved }) else { throw .noSuchFile }
        return place
    }

    fileprivate func place(of inode: fuse_ino_t) throws(Errno) -> Int {
        guard inode > Self.root, inode - 2 < entries.count else { throw .noSuchFile }
        return Int(inode) - 2
    }

    fileprivate func status(of inode: fuse_ino_t) throws(Errno) -> stat {
        var status = stat()
        status.st_ino = ino_t(inode)
        status.st_nlink = 1
        if inode == Self.root {
            status.st_mode = S_IFDIR | 0o755
        } else {
            _ = try place(of: inode)
            // Of size 0, as all files of securityfs.
            status.st_mode = S_IFREG | 0o440
        }
        return status
    }

    fileprivate func list() throws(Errno) -> [(name: String, status: stat)] {
        var list: [(name: String, status: stat)] = []
        for (place, entry) in entries.enumerated() where !entry.isRemoved {
            list.append((entry.name, try status(of: fuse_ino_t(place) + 2)))
        }
        return list
    }

    fileprivate func remove(_ name: String) throws(Errno) {
        let place = try place(of: name)
        entries[place].bytes = [UInt8](repeating: 0, count: entries[place].bytes.count)
        entries[place].isRemoved = true
    }
}

/// What is missing here gets ENOSYS from libfuse.
private func secretOperations() -> fuse_lowlevel_ops {
    var operations = fuse_lowlevel_ops()
    unsafe operations.lookup = { request, _, name in
        unsafe answer(request) { (system) throws(Errno) in
            let inode = fuse_ino_t(try system.place(of: unsafe text(name))) + 2
            unsafe replyEntry(request, inode: inode, status: try system.status(of: inode))
        }
    }
    unsafe operations.getattr = { request, inode, _ in
        unsafe answer(request) { (system) throws(Errno) in unsafe replyStatus(request, try system.status(of: inode)) }
    }
    unsafe operations.readdir = { request, _, count, offset, _ in
        unsafe answer(request) { (system) throws(Errno) in
            unsafe replyList(request, try system.list(), from: offset, limit: count)
        }
    }
    unsafe operations.unlink = { request, _, name in
        unsafe answer(request) { (system) throws(Errno) in
            try system.remove(unsafe text(name))
            unsafe fuse_reply_err(request, 0)
        }
    }
    unsafe operations.open = { request, inode, file in
        unsafe answer(request) { (system) throws(Errno) in
            _ = try system.place(of: inode)
            guard let file = unsafe file, unsafe file.pointee.flags & O_ACCMODE == O_RDONLY else { throw .accessDenied }
            // Past the page cache, in which a secret would stay.
            unsafe file.pointee.direct_io = 1
            unsafe file.pointee.noflush = 1
            unsafe fuse_reply_open(request, file)
        }
    }
    unsafe operations.read = { request, inode, count, offset, _ in
        unsafe answer(request) { (system) throws(Errno) in
            let bytes = system.entries[try system.place(of: inode)].bytes
            unsafe replyBytes(request, bytes.dropFirst(max(0, offset)).prefix(count))
        }
    }
    unsafe operations.create = { request, _, _, _, _ in unsafe fuse_reply_err(request, EACCES) }
    unsafe operations.mknod = { request, _, _, _, _ in unsafe fuse_reply_err(request, EPERM) }
    unsafe operations.mkdir = { request, _, _, _ in unsafe fuse_reply_err(request, EPERM) }
    return operations
}

/// Runs `body`, which replies itself where it succeeds; an error is the reply.
private func answer(_ request: OpaquePointer?, _ body: (SecretFileSystem) throws(Errno) -> Void) {
    guard let context = unsafe fuse_req_userdata(request) else { return }
    let system = unsafe Unmanaged<SecretFileSystem>.fromOpaque(context).takeUnretainedValue()
    do throws(Errno) {
        try body(system)
    } catch {
        unsafe fuse_reply_err(request, error.code)
    }
}
