// SPDX-License-Identifier: Apache-2.0
internal import CFUSE
internal import Glibc

// What every file system here answers the kernel with.

/// Timeouts of 0: the kernel asks again each time, as entries come and go.
func replyEntry(_ request: OpaquePointer?, inode: fuse_ino_t, status: stat) {
    var entry = fuse_entry_param()
    entry.ino = inode
    entry.attr = status
    unsafe fuse_reply_entry(request, &entry)
}

func replyStatus(_ request: OpaquePointer?, _ status: stat) {
    var status = status
    unsafe fuse_reply_attr(request, &status, 0)
}

func replyBytes(_ request: OpaquePointer?, _ bytes: ArraySlice<UInt8>) {
    unsafe bytes.withUnsafeBytes { buffer in
        let start = unsafe buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
        _ = unsafe fuse_reply_buf(request, start, buffer.count)
    }
}

/// As many names as fit, from the `offset`th.
func replyList(_ request: OpaquePointer?, _ children: [(name: String, status: stat)], from offset: off_t, limit: Int) {
    var buffer = [CChar](repeating: 0, count: limit)
    var used = 0
    for (index, child) in children.enumerated().dropFirst(max(0, offset)) {
        var status = child.status
        let count = unsafe buffer.withUnsafeMutableBufferPointer { buffer in
            unsafe fuse_add_direntry(
                request, buffer.baseAddress?.advanced(by: used), buffer.count - used, child.name, &status, off_t(index + 1))
        }
        guard used + count <= limit else { break }
        used += count
    }
    unsafe fuse_reply_buf(request, buffer, used)
}

func text(_ name: UnsafePointer<CChar>?) -> String {
    guard let name = unsafe name else { return "" }
    return unsafe String(cString: name)
}
