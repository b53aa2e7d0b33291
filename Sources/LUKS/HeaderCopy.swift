// SPDX-License-Identifier: Apache-2.0
internal import CCryptsetup
internal import Glibc
internal import PinKit

/// A volume's LUKS2 header in memory, validated: what everything here reads and what opens the volume, so that a disk that
/// answers differently the second time cannot swap it (CVE-2025-59054 and its kin).
///
/// Read in two steps: both metadata areas first (at most 2 × 4 MiB), and once they are validated the key material of each
/// keyslot. Never more than 32 MiB.
package struct HeaderCopy: ~Copyable {
    private let memory: MemoryFile
    private let place: String
    package let header: Header
    /// libcryptsetup over this copy.
    let device: CryptDevice
    /// Bytes of one metadata area.
    let areaSize: Int

    init(of volume: borrowing VolumeFile) throws(LUKSError) {
        let areaSize = try BinaryHeader(of: volume).areaSize
        let memory = try MemoryFile(size: HeaderLimits.copySize, place: volume.path)
        try memory.write(volume.read(2 * areaSize, at: 0), at: 0)
        let device = try CryptDevice(header: memory.path, place: volume.path, backing: memory)
        let metadata = try device.metadata()
        let header: Header
        do throws(LUKSError) {
            header = try Header(metadata: metadata, uuid: device.uuid, areaSize: areaSize)
        } catch {
            throw error.at(volume.path)
        }
        for keyslot in header.keyslots.values {
            try memory.write(volume.read(keyslot.range.count, at: keyslot.range.lowerBound), at: keyslot.range.lowerBound)
        }
        self.memory = memory
        self.place = volume.path
        self.header = header
        self.device = device
        self.areaSize = areaSize
    }

    package init(of path: String) throws(LUKSError) {
        try self.init(of: VolumeFile(path))
    }

    /// Another one; `data` is the volume itself where it is to be activated.
    func makeDevice(data: String?) throws(LUKSError) -> CryptDevice {
        try CryptDevice(header: memory.path, data: data, place: place, backing: memory)
    }
}

extension HeaderCopy {
    /// Puts the copy in place of the file at `path` in one step, mode 0600: both metadata areas and the key material at their
    /// places, holes between them.
    func publish(at path: String) throws(LUKSError) {
        let ranges = [0..<2 * areaSize] + header.keyslots.values.map(\.range)
        let draft = "\(path).new"
        _ = unsafe unlink(draft)
        let file = unsafe open(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw LUKSError(.failed, place: draft, step: "write the copy", detail: reason(errno)) }
        defer { close(file) }
        for range in ranges { try memory.copy(range, to: file, at: draft) }
        guard ftruncate(file, off_t(header.length)) == 0, unsafe rename(draft, path) == 0 else {
            throw LUKSError(.failed, place: path, step: "write the copy", detail: reason(errno))
        }
    }
}

/// A file without a name, in memory.
private final class MemoryFile: Sendable {
    private let descriptor: Int32
    private let place: String

    init(size: Int, place: String) throws(LUKSError) {
        let descriptor = unsafe cvm_memory_file("luks2-header")
        guard descriptor >= 0 else {
            throw LUKSError(.failed, place: place, step: "memfd_create", detail: reason(errno))
        }
        guard ftruncate(descriptor, off_t(size)) == 0 else {
            let error = errno
            close(descriptor)
            throw LUKSError(.failed, place: place, step: "ftruncate", detail: reason(error))
        }
        self.descriptor = descriptor
        self.place = place
    }

    deinit { close(descriptor) }

    /// Good in this process, as long as this object lives.
    var path: String { "/proc/self/fd/\(descriptor)" }

    func write(_ bytes: [UInt8], at offset: Int) throws(LUKSError) {
        let count = unsafe pwrite(descriptor, bytes, bytes.count, off_t(offset))
        guard count == bytes.count else {
            throw LUKSError(.failed, place: place, step: "copy the header", detail: reason(errno))
        }
    }

    /// Writes what is in `range` to the same place of `file`.
    func copy(_ range: Range<Int>, to file: Int32, at path: String) throws(LUKSError) {
        var bytes = [UInt8](repeating: 0, count: range.count)
        guard unsafe pread(descriptor, &bytes, bytes.count, off_t(range.lowerBound)) == bytes.count,
            unsafe pwrite(file, bytes, bytes.count, off_t(range.lowerBound)) == bytes.count
        else { throw LUKSError(.failed, place: path, step: "write the copy", detail: reason(errno)) }
    }
}
