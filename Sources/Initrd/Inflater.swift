// SPDX-License-Identifier: Apache-2.0
internal import CInflate
internal import Glibc

/// One compressed stream; whoever made it chose every byte of it.
@safe final class Inflater {
    enum Kind: CaseIterable {
        case gzip, xz, zstd

        /// By its first bytes; nil for anything else.
        init?(magic: some Sequence<UInt8>) {
            guard let kind = Self.allCases.first(where: { magic.starts(with: $0.magic) }) else { return nil }
            self = kind
        }

        private var magic: [UInt8] {
            switch self {
            case .gzip: [0x1f, 0x8b]
            case .xz: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]
            case .zstd: [0x28, 0xb5, 0x2f, 0xfd]
            }
        }

        fileprivate var library: cvm_inflater_kind {
            switch self {
            case .gzip: CVM_GZIP
            case .xz: CVM_XZ
            case .zstd: CVM_ZSTD
            }
        }
    }

    private static let pieceLength = 1 << 20

    private let kind: Kind
    private let path: String
    private let source: ByteStream
    private let state: UnsafeMutablePointer<cvm_inflater>
    private var hasEnded = false

    /// Reads a stream of `source` from where that is, and leaves it behind the stream's last byte.
    init(_ kind: Kind, from source: ByteStream, _ path: String) throws(InitrdError) {
        guard let state = unsafe cvm_inflater_open(kind.library) else {
            let reason = unsafe dlerror().map { unsafe String(cString: $0) } ?? "its library refused"
            throw InitrdError(path: path, reason: "its \(kind) stream cannot be read: \(reason)")
        }
        self.kind = kind
        self.path = path
        self.source = source
        unsafe self.state = state
    }

    deinit { unsafe cvm_inflater_close(state) }

    /// Some of what the stream holds; nothing at its end.
    func next() throws(InitrdError) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: Self.pieceLength)
        var filled = 0
        while !hasEnded, filled == 0 {
            let input = Array(try source.held())
            var (taken, given) = (0, 0)
            let status = unsafe cvm_inflater_step(state, input, input.count, &taken, &output, output.count, &given)
            guard status >= 0 else { throw InitrdError(path: path, reason: "its \(kind) stream is broken") }
            try source.skip(taken)
            hasEnded = status == 1
            filled = given
            guard !input.isEmpty || hasEnded || given > 0 else {
                throw InitrdError(path: path, reason: "its \(kind) stream is cut short")
            }
        }
        return Array(output[..<filled])
    }
}
