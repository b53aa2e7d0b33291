// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// A program of a pin, and the environment it runs in.
struct PinProgram: Sendable {
    let path: String
    let environment: [String]

    /// Its file's name, for messages.
    var name: String { path.split(separator: "/").last.map(String.init) ?? path }

    /// Starts the program, gives it `input`, and returns what it answers if it ends with status 0: at most `limit` bytes.
    /// Neither it nor what it started in its process group is left when this returns.
    func run(
        _ arguments: [String], input: borrowing SecretBytes, limit: Int, before deadline: Deadline
    ) throws(PinError) -> SecretBytes {
        var length = 0
        let answer = try unsafe input.withUnsafeBytes { (input) throws(PinError) in
            // One byte more than may come, so that too much is seen.
            try unsafe SecretBytes(count: limit + 1) { (answer) throws(PinError) in
                var conversation = unsafe Conversation(with: try start(arguments), name, saying: input, hearing: answer)
                length = try conversation.run(before: deadline)
            }
        }
        guard let answer = answer.slice(0..<length) else {
            throw PinError(.failed, step: name, detail: "answered more than \(limit) bytes")
        }
        return answer
    }

    private func start(_ arguments: [String]) throws(PinError) -> Child {
        do throws(SystemError) {
            return try Child.start(self, arguments)
        } catch {
            throw PinError(.unavailable, step: "start \(path)", detail: error.description)
        }
    }
}

/// The last line that a program wrote on standard error, bounded, as its word on what went wrong.
struct Diagnostic {
    /// Bytes read in all, bytes kept, and characters shown.
    static let limit = 256 << 10
    private static let kept = 4096
    private static let shown = 200

    private var text: [UInt8] = []
    private var total = 0

    /// False when it is more than a program may say.
    mutating func append(_ bytes: ArraySlice<UInt8>) -> Bool {
        total += bytes.count
        text = Array((text + bytes).suffix(Diagnostic.kept))
        return total <= Diagnostic.limit
    }

    /// Empty where nothing was said.
    var line: String {
        let lines = text.split(separator: UInt8(ascii: "\n")).map { Diagnostic.printable($0.prefix(Diagnostic.shown)) }
        return lines.last { line in line.contains { $0 != " " } } ?? ""
    }

    /// ASCII without control characters, which a terminal would obey.
    static func printable(_ bytes: some Sequence<UInt8>) -> String {
        String(decoding: bytes.map { (0x20..<0x7f).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
    }
}
