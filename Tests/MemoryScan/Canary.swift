// SPDX-License-Identifier: Apache-2.0
internal import Glibc
public import PinKit

/// A random secret that is kept masked, so that it stands in memory only where somebody left it.
public struct Canary: Sendable {
    public static let length = 32
    private static let window = 16
    private let masked: [UInt8]

    public init() throws { masked = try Random.bytes(Canary.length) }

    /// Another secret of the same length, to be looked for in the same way.
    public init(masking secret: borrowing SecretBytes) throws {
        precondition(secret.count == Canary.length)
        masked = unsafe secret.withUnsafeBytes { bytes in unsafe bytes.map { $0 ^ 0x5a } }
    }

    public func reveal() -> SecretBytes {
        unsafe SecretBytes(count: masked.count) { buffer in
            for index in masked.indices { unsafe buffer[index] = masked[index] ^ 0x5a }
        }
    }

    /// How often a window of the secret, raw or in base64url, stands in this process's writable memory.
    ///
    /// A worker that has delivered it may still be on its way out, and its stack goes with it: it is given two seconds.
    public func residues() throws -> Int {
        var count = try scan()
        for _ in 0..<20 where count > 0 {
            usleep(100_000)
            count = try scan()
        }
        return count
    }

    private func scan() throws -> Int {
        let arena = Arena()
        var count = 0
        for text in [false, true] {
            // The needle itself must not be found: it lies in the arena, which the scan leaves out.
            let length = text ? reveal().base64URL.count : Canary.length
            for start in stride(from: 0, through: length - Canary.window, by: 4) {
                unsafe arena.fillNeedle(count: Canary.window) { needle in
                    let secret = text ? reveal().base64URL : reveal()
                    unsafe secret.withUnsafeBytes { bytes in
                        let piece = unsafe UnsafeRawBufferPointer(rebasing: bytes[start..<start + Canary.window])
                        unsafe needle.copyMemory(from: piece)
                    }
                }
                count += try arena.count()
            }
        }
        return count
    }
}

/// Memory that the scan uses and therefore leaves out: the needle and the window onto the rest of the process.
@safe private final class Arena {
    private static let size = 2 << 20
    private let start: UnsafeMutableRawPointer
    private var needleLength = 0

    init() {
        unsafe start = mmap(nil, Arena.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
    }

    deinit { unsafe munmap(start, Arena.size) }

    func fillNeedle(count: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void) {
        needleLength = count
        unsafe fill(UnsafeMutableRawBufferPointer(start: start, count: count))
    }

    func count() throws -> Int {
        let memory = unsafe open("/proc/self/mem", O_RDONLY)
        defer { close(memory) }
        let window = unsafe UnsafeMutableRawBufferPointer(start: start + 4096, count: Arena.size - 4096)
        var count = 0
        for range in writableRanges() {
            var position = range.lowerBound
            while position < range.upperBound {
                let wanted = min(Int(range.upperBound - position), Arena.size - 4096)
                let length = unsafe pread(memory, window.baseAddress, wanted, Int(position))
                guard length > 0 else { break }
                count += unsafe occurrences(in: UnsafeRawBufferPointer(rebasing: window[..<length]))
                position += UInt(length)
            }
        }
        return count
    }

    private func occurrences(in bytes: UnsafeRawBufferPointer) -> Int {
        var count = 0
        var offset = 0
        while offset < bytes.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[offset...])
            guard let hit = unsafe Arena.memmem(rest.baseAddress!, rest.count, start, needleLength) else { break }
            count += 1
            unsafe offset += UnsafeRawPointer(hit) - rest.baseAddress! + 1
        }
        return count
    }

    private typealias MemMem = @convention(c) (UnsafeRawPointer, Int, UnsafeRawPointer, Int) -> UnsafeMutableRawPointer?

    /// glibc has it, but its header hides it from Swift; a loop of our own is a hundred times slower in a debug build.
    private static let memmem = unsafe unsafeBitCast(dlsym(nil, "memmem"), to: MemMem.self)

    private func writableRanges() -> [Range<UInt>] {
        let descriptor = unsafe open("/proc/self/maps", O_RDONLY)
        defer { close(descriptor) }
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while case let length = unsafe read(descriptor, &chunk, chunk.count), length > 0 { text += chunk[..<length] }
        return String(decoding: text, as: UTF8.self).split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ")
            guard fields.count >= 2, fields[1].hasPrefix("rw"), !line.contains("[vvar") else { return nil }
            let ends = fields[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
            return ends.count == 2 ? ends[0]..<ends[1] : nil
        }
        .flatMap(withoutThis)
    }

    /// The kernel may show this arena and its neighbours as one range.
    private func withoutThis(_ range: Range<UInt>) -> [Range<UInt>] {
        let first = unsafe UInt(bitPattern: start)
        let own = first..<first + UInt(Arena.size)
        guard range.overlaps(own) else { return [range] }
        return [range.lowerBound..<own.lowerBound, own.upperBound..<max(own.upperBound, range.upperBound)]
    }
}
