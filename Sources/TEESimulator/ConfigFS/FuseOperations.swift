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
        unsafe answer(request) { (tree) throws(Errno) in unsafe replyStatus(request, of: try node(inode, in: tree)) }
    }
    // Shells truncate what they write to; that changes nothing. Owners and modes are fixed.
    unsafe operations.setattr = { request, inode, _, changes, _ in
        unsafe answer(request) { (tree) throws(Errno) in
            guard changes & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID) == 0 else { throw .notPermitted }
            unsafe replyStatus(request, of: try node(inode, in: tree))
        }
    }
    unsafe operations.readdir = { request, inode, count, offset, _ in
        unsafe answer(request) { (tree) throws(Errno) in
            let children = try tree.children(of: node(inode, in: tree))
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
            let bytes = try tree.read(unsafe file.pointee.fh, at: offset, count: count)
            unsafe bytes.withUnsafeBytes { buffer in
                let start = unsafe buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
                _ = unsafe fuse_reply_buf(request, start, buffer.count)
            }
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
    // Timeouts of 0: the kernel asks again each time, as entries come and go.
    var entry = fuse_entry_param()
    entry.ino = node.inode
    entry.attr = node.status
    unsafe fuse_reply_entry(request, &entry)
}

private func replyStatus(_ request: OpaquePointer?, of node: TSMTree.Node) {
    var status = node.status
    unsafe fuse_reply_attr(request, &status, 0)
}

/// As many names as fit, from the `offset`th.
private func replyList(
    _ request: OpaquePointer?, _ children: [(name: String, node: TSMTree.Node)], from offset: off_t, limit: Int
) {
    var buffer = [CChar](repeating: 0, count: limit)
    var used = 0
    for (index, child) in children.enumerated().dropFirst(max(0, offset)) {
        var status = child.node.status
        let count = unsafe buffer.withUnsafeMutableBufferPointer { buffer in
            unsafe fuse_add_direntry(
                request, buffer.baseAddress?.advanced(by: used), buffer.count - used, child.name, &status, off_t(index + 1))
        }
        guard used + count <= limit else { break }
        used += count
    }
    unsafe fuse_reply_buf(request, buffer, used)
}

private func node(_ inode: fuse_ino_t, in tree: TSMTree) throws(Errno) -> TSMTree.Node {
    guard let node = TSMTree.Node(inode: inode), tree.exists(node) else { throw .noSuchFile }
    return node
}

private func text(_ name: UnsafePointer<CChar>?) -> String {
    guard let name = unsafe name else { return "" }
    return unsafe String(cString: name)
}
