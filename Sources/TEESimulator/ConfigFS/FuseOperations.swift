// SPDX-License-Identifier: Apache-2.0
internal import CFUSE
internal import Glibc

/// The requests that the kernel makes, each put to the ``TSMTree``. What is missing here gets ENOSYS from libfuse.
func fuseOperations() -> fuse_lowlevel_ops {
    var operations = fuse_lowlevel_ops()
    addDirectoryOperations(to: &operations)
    addFileOperations(to: &operations)
    return operations
}

private func addDirectoryOperations(to operations: inout fuse_lowlevel_ops) {
    unsafe operations.lookup = { request, parent, name in
        unsafe answer(request) { (tree) throws(Errno) in
            let node = try tree.lookUp(unsafe text(name), in: node(parent, in: tree))
            unsafe reply(request, with: node)
        }
    }
    unsafe operations.getattr = { request, inode, _ in
        unsafe answer(request) { (tree) throws(Errno) in unsafe replyStatus(request, try node(inode, in: tree).status) }
    }
    // Shells truncate what they write to; that changes nothing. Owners and modes are fixed.
    unsafe operations.setattr = { request, inode, _, changes, _ in
        unsafe answer(request) { (tree) throws(Errno) in
            guard changes & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID) == 0 else { throw .notPermitted }
            unsafe replyStatus(request, try node(inode, in: tree).status)
        }
    }
    unsafe operations.readdir = { request, inode, count, offset, _ in
        unsafe answer(request) { (tree) throws(Errno) in
            let children = try tree.children(of: node(inode, in: tree)).map { ($0.name, $0.node.status) }
            unsafe replyList(request, children, from: offset, limit: count)
        }
    }
    unsafe operations.mkdir = { request, parent, name, _ in
        unsafe answer(request) { (tree) throws(Errno) in
            let node = try tree.makeDirectory(unsafe text(name), in: node(parent, in: tree))
            unsafe reply(request, with: node)
        }
    }
    unsafe operations.rmdir = { request, parent, name in
        unsafe answer(request) { (tree) throws(Errno) in
            try tree.removeDirectory(unsafe text(name), in: node(parent, in: tree))
            unsafe fuse_reply_err(request, 0)
        }
    }
    // No file of configfs is made or removed by hand.
    unsafe operations.create = { request, _, _, _, _ in unsafe fuse_reply_err(request, EACCES) }
    unsafe operations.mknod = { request, _, _, _, _ in unsafe fuse_reply_err(request, EPERM) }
    unsafe operations.unlink = { request, _, _ in unsafe fuse_reply_err(request, EPERM) }
}

private func addFileOperations(to operations: inout fuse_lowlevel_ops) {
    unsafe operations.open = { request, inode, file in
        unsafe answer(request) { (tree) throws(Errno) in
            guard case .attribute(let attribute, let entry) = try node(inode, in: tree), let file = unsafe file else {
                throw .invalid
            }
            unsafe file.pointee.fh = try tree.open(attribute, of: entry, flags: file.pointee.flags)
            // Past the page cache: sizes need not be known, and every open file reads anew.
            unsafe file.pointee.direct_io = 1
            // A close asks nothing of us; and a process that serves itself can end with files open.
            unsafe file.pointee.noflush = 1
            unsafe file.pointee.nonseekable = attribute.isBinary ? 1 : 0
            unsafe fuse_reply_open(request, file)
        }
    }
    unsafe operations.read = { request, _, count, offset, file in
        unsafe answer(request) { (tree) throws(Errno) in
            guard let file = unsafe file else { throw .invalid }
            unsafe replyBytes(request, try tree.read(unsafe file.pointee.fh, at: offset, count: count))
        }
    }
    unsafe operations.write = { request, _, data, count, offset, file in
        unsafe answer(request) { (tree) throws(Errno) in
            guard let file = unsafe file else { throw .invalid }
            let bytes = unsafe Array(UnsafeRawBufferPointer(start: data, count: count))
            try tree.write(bytes, to: unsafe file.pointee.fh, at: offset)
            unsafe fuse_reply_write(request, count)
        }
    }
    unsafe operations.release = { request, _, file in
        unsafe answer(request) { (tree) throws(Errno) in
            guard let file = unsafe file else { throw .invalid }
            tree.release(unsafe file.pointee.fh)
            unsafe fuse_reply_err(request, 0)
        }
    }
}

// MARK: - Answers

/// Runs `body`, which replies itself where it succeeds; an error is the reply.
private func answer(_ request: OpaquePointer?, _ body: (TSMTree) throws(Errno) -> Void) {
    guard let context = unsafe fuse_req_userdata(request) else { return }
    let system = unsafe Unmanaged<TSMFileSystem>.fromOpaque(context).takeUnretainedValue()
    do throws(Errno) {
        try body(system.tree)
    } catch {
        unsafe fuse_reply_err(request, error.code)
    }
}

private func reply(_ request: OpaquePointer?, with node: TSMTree.Node) {
    unsafe replyEntry(request, inode: node.inode, status: node.status)
}

private func node(_ inode: fuse_ino_t, in tree: TSMTree) throws(Errno) -> TSMTree.Node {
    guard let node = TSMTree.Node(inode: inode), tree.exists(node) else { throw .noSuchFile }
    return node
}
