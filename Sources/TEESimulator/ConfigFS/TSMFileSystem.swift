// SPDX-License-Identifier: Apache-2.0
internal import CFUSE
internal import Glibc

/// A ``TSMTree`` mounted through FUSE, so that programs meet it at the kernel's path with the kernel's system calls.
///
/// One thread answers everything in the order the kernel asks. That is what makes a commit at close() seen by the next open():
/// the kernel does not wait for the release of a file, but it queues it before close() returns.
@safe final class TSMFileSystem: @unchecked Sendable {
    let tree: TSMTree
    private var session: FuseSession?

    /// Mounts over `path`; root only. From now on whoever touches `path` waits for ``serve()``.
    init(_ tree: TSMTree, at path: String) throws(SimulatorError) {
        self.tree = tree
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        session = try unsafe FuseSession(fuseOperations(), context, at: path)
    }

    /// Answers on a thread of its own until the file system is unmounted or the process ends.
    func serve() throws(SimulatorError) { try session?.serve(keeping: self) }
}

// MARK: - Nodes as the kernel numbers them

extension TSMTree.Node {
    /// 1 to 3 are the fixed directories; entry N has 16 N, and its attributes follow. Numbers are never used twice.
    var inode: fuse_ino_t {
        switch self {
        case .root: fuse_ino_t(FUSE_ROOT_ID)
        case .tsm: 2
        case .report: 3
        case .entry(let entry): entry * 16
        case .attribute(let attribute, let entry): entry * 16 + 1 + attribute.index
        }
    }

    init?(inode: fuse_ino_t) {
        let entry = inode / 16
        switch (inode, Int(inode % 16)) {
        case (fuse_ino_t(FUSE_ROOT_ID), _): self = .root
        case (2, _): self = .tsm
        case (3, _): self = .report
        case (16..., 0): self = .entry(entry)
        case (16..., let index) where index <= TSMAttribute.allCases.count:
            self = .attribute(TSMAttribute.allCases[index - 1], of: entry)
        default: return nil
        }
    }

    /// Everything belongs to root, and was changed at the epoch.
    var status: stat {
        var status = stat()
        status.st_ino = ino_t(inode)
        status.st_nlink = 1
        if case .attribute(let attribute, _) = self {
            status.st_mode = attribute.mode
            status.st_size = attribute.size
        } else {
            status.st_mode = S_IFDIR | 0o755
        }
        return status
    }
}

extension TSMAttribute {
    fileprivate var index: UInt64 { UInt64(TSMAttribute.allCases.firstIndex(of: self) ?? 0) }
}
