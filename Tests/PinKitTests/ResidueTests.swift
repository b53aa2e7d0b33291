// SPDX-License-Identifier: Apache-2.0
import Glibc
import PinKit
import Testing

/// After a secret was used and let go, no piece of it may be left in this process: not raw, not as base64url.
@Suite(.serialized) struct ResidueTests {
    @Test func `the scan finds a secret that was left behind`() throws {
        let canary = try Canary()
        let careless = bytes(of: canary.reveal())
        #expect(try canary.residues() > 0)
        #expect(careless.count == Canary.length)
    }

    @Test func `a direct message leaves neither its content nor its key`() throws {
        let (content, key) = (try Canary(), try Canary())
        for _ in 0..<8 { try roundTrip(content.reveal(), key.reveal()) }
        #expect(try content.residues() == 0)
        #expect(try key.residues() == 0)
    }

    @Test func `a message to a key leaves nothing of its content`() throws {
        let content = try Canary()
        for _ in 0..<8 { try roundTrip(content.reveal()) }
        #expect(try content.residues() == 0)
    }

    private func roundTrip(_ content: borrowing SecretBytes, _ key: borrowing SecretBytes) throws {
        let message = try JWE.encrypt(content, contentKey: key, header: ["clevis": ["pin": "test"]])
        let opened = try message.decrypt(contentKey: key).equals(content)
        #expect(opened)
    }

    private func roundTrip(_ content: borrowing SecretBytes) throws {
        let recipient = try AgreementKey.generate()
        let message = try JWE.Draft(to: recipient.publicKey, header: [:]).seal(content)
        let opened = try message.open(with: recipient).equals(content)
        #expect(opened)
    }
}

/// A random secret that is kept masked, so that it stands in memory only where somebody left it.
struct Canary {
    static let length = 32
    private static let window = 16
    private let masked: [UInt8]

    init() throws { masked = try Random.bytes(Canary.length) }

    func reveal() -> SecretBytes {
        unsafe SecretBytes(count: masked.count) { buffer in
            for index in masked.indices { unsafe buffer[index] = masked[index] ^ 0x5a }
        }
    }

    /// How often a window of the secret, raw or in base64url, stands in this process's writable memory.
    func residues() throws -> Int {
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
        let first = unsafe Int32(start.load(as: UInt8.self))
        var count = 0
        var offset = 0
        while offset + needleLength <= bytes.count {
            let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[offset...])
            guard let hit = unsafe memchr(rest.baseAddress!, first, rest.count - needleLength + 1) else { break }
            if unsafe memcmp(hit, start, needleLength) == 0 { count += 1 }
            unsafe offset += UnsafeRawPointer(hit) - rest.baseAddress! + 1
        }
        return count
    }

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
