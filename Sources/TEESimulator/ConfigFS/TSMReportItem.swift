// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// One directory below `tsm/report`, as the kernel keeps it (Documentation/ABI/testing/configfs-tsm-report): what was written,
/// how often, and the answer to it.
struct TSMReportItem {
    /// `TSM_INBLOB_MAX`.
    static let maximumInblob = 64
    /// `TSM_PRIVLEVEL_MAX`.
    private static let maximumPrivlevel: UInt32 = 3

    private var inblob: [UInt8] = []
    private var privlevel: UInt32
    private(set) var generation: UInt64 = 0
    private var answer: (blobs: TSMBlobs, generation: UInt64)?

    init(privlevel: UInt32) { self.privlevel = privlevel }

    /// The commit of an open file that was written to, at its last close. It counts as a write whatever its length, which is
    /// only looked at when a report is asked for.
    mutating func commit(inblob: [UInt8]) {
        self.inblob = inblob
        generation += 1
    }

    /// `text` as kstrtouint reads it with base 0: decimal, or hexadecimal after 0x, with one newline at the end.
    mutating func store(privlevel text: [UInt8], floor: UInt32) throws(Errno) {
        var digits = String(decoding: text, as: UTF8.self)
        if digits.hasSuffix("\n") { digits.removeLast() }
        let hexadecimal = digits.lowercased().hasPrefix("0x")
        guard let level = hexadecimal ? UInt32(digits.dropFirst(2), radix: 16) : UInt32(digits),
            level >= floor, level <= Self.maximumPrivlevel
        else { throw .invalid }
        privlevel = level
        generation += 1
    }

    /// Another process wrote to this entry.
    mutating func disturb() { generation += 1 }

    /// The answer to what was written last: made at the first read, and kept until the next write.
    mutating func blobs(from provider: any TSMProvider) throws(Errno) -> TSMBlobs {
        guard !inblob.isEmpty else { throw .invalid }
        if let answer, answer.generation == generation { return answer.blobs }
        answer = nil
        let blobs = try provider.report(inblob: inblob, privlevel: privlevel)
        answer = (blobs, generation)
        return blobs
    }
}
