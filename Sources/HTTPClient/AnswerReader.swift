// SPDX-License-Identifier: Apache-2.0

/// An answer of HTTP/1 (RFC 9112) as it comes in, in pieces of any size, from whoever is at the other end.
///
/// Strict where two readers could disagree about where an answer ends: two lengths, a length beside chunks, other codings,
/// folded lines and blanks before a colon are malformed.
package struct AnswerReader {
    /// Bytes of all lines: of heads, sizes of chunks and trailers.
    static let maximumLines = 64 << 10

    package enum Problem: Error, Equatable {
        case malformed(String)
        /// The body is longer than ``HTTPClient/maximumBody``.
        case tooLong
    }

    private enum State {
        case status, fields
        /// Bytes of the body left to come.
        case sized(Int)
        case toTheEnd
        case chunkSize
        /// Bytes of the chunk left to come.
        case chunk(Int)
        case chunkEnd, trailer, complete
    }

    private var state = State.status
    private var line: [UInt8] = []
    private var lineBytes = 0
    private var version: UInt8 = 0
    private var status = 0
    private var head: [UInt8] = []
    private var retryAfter: Int?
    private var length: Int?
    private var isChunked = false
    private var isLast = false
    private var body: [UInt8] = []
    /// Whether the other end said more than its answer.
    private var hasRest = false

    package init() {}

    /// nil until the answer is complete.
    package var answer: HTTPResponse? {
        guard case .complete = state else { return nil }
        return HTTPResponse(status: status, body: body, retryAfter: retryAfter, head: head)
    }

    /// Whether the connection may carry another request.
    package var allowsAnother: Bool { answer != nil && !isLast && !hasRest }

    package mutating func add(_ bytes: some Collection<UInt8>) throws(Problem) {
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            switch state {
            case .sized(let count): take(&rest, count) { $0 == 0 ? .complete : .sized($0) }
            case .chunk(let count): take(&rest, count) { $0 == 0 ? .chunkEnd : .chunk($0) }
            case .toTheEnd:
                guard rest.count <= HTTPClient.maximumBody - body.count else { throw .tooLong }
                body += rest
                return
            case .complete:
                hasRest = true
                return
            default: if let line = try takeLine(&rest) { try read(line) }
            }
        }
    }

    /// The other end has closed the connection.
    package mutating func end() throws(Problem) {
        switch state {
        case .complete: break
        case .toTheEnd: state = .complete
        default: throw .malformed("it ended before it was complete")
        }
    }

    private mutating func take(_ rest: inout ArraySlice<UInt8>, _ count: Int, then next: (Int) -> State) {
        let part = rest.prefix(count)
        body += part
        rest = rest.dropFirst(part.count)
        state = next(count - part.count)
    }

    /// The next line without its end; nil where that has not come yet.
    private mutating func takeLine(_ rest: inout ArraySlice<UInt8>) throws(Problem) -> [UInt8]? {
        let end = rest.firstIndex(of: UInt8(ascii: "\n"))
        let part = rest[..<(end ?? rest.endIndex)]
        lineBytes += part.count + 1
        guard lineBytes <= AnswerReader.maximumLines else { throw .malformed("its lines are longer than 64 KiB") }
        line += part
        rest = rest.dropFirst(part.count + 1)
        guard end != nil else { return nil }
        defer { line = [] }
        return line.last == UInt8(ascii: "\r") ? line.dropLast() : line
    }

    private mutating func read(_ line: [UInt8]) throws(Problem) {
        switch state {
        case .status: try readStatus(line)
        case .fields where line.isEmpty: try startBody()
        case .fields: try readField(line)
        case .chunkSize: try readChunkSize(line)
        case .chunkEnd where line.isEmpty: state = .chunkSize
        case .chunkEnd: throw .malformed("a chunk is longer than its size")
        case .trailer: if line.isEmpty { state = .complete }
        default: break
        }
    }
}

// MARK: - The head

extension AnswerReader {
    /// `HTTP/1.1 200 OK`; the words may be missing.
    private mutating func readStatus(_ line: [UInt8]) throws(Problem) {
        let start = Array("HTTP/1.".utf8)
        let code = line.dropFirst(9).prefix(3)
        guard line.starts(with: start), line.count >= 12, line[7] == UInt8(ascii: "0") || line[7] == UInt8(ascii: "1"),
            line[8] == UInt8(ascii: " "), line.count == 12 || line[12] == UInt8(ascii: " "),
            let status = AnswerReader.number(code, radix: 10), status >= 100
        else { throw .malformed("its first line is not one of HTTP/1") }
        self.status = status
        version = line[7]
        isLast = version == UInt8(ascii: "0")
        state = .fields
    }

    private mutating func readField(_ line: [UInt8]) throws(Problem) {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0, line[..<colon].allSatisfy({ $0 > 0x20 }),
            line[colon...].allSatisfy({ $0 >= 0x20 || $0 == UInt8(ascii: "\t") })
        else { throw .malformed("a line of its head is no field") }
        head += line + [UInt8(ascii: "\n")]
        let value = AnswerReader.lowercased(AnswerReader.trimmed(line[(colon + 1)...]))
        switch String(decoding: AnswerReader.lowercased(line[..<colon]), as: UTF8.self) {
        case "content-length":
            guard let count = AnswerReader.number(value, radix: 10), length == nil || length == count else {
                throw .malformed("Content-Length is no number, or two")
            }
            length = count
        case "transfer-encoding":
            guard value.elementsEqual("chunked".utf8), !isChunked else {
                throw .malformed("Transfer-Encoding is not chunked")
            }
            isChunked = true
        case "retry-after": retryAfter = AnswerReader.number(value, radix: 10).flatMap { $0 > 0 ? $0 : nil }
        case "connection": if value.elementsEqual("close".utf8) { isLast = true }
        default: break
        }
    }

    /// RFC 9112 §6.3.
    private mutating func startBody() throws(Problem) {
        if (100..<200).contains(status) {
            // 101 would change the protocol, which nobody asked for.
            guard status != 101 else { throw .malformed("it changes the protocol") }
            (head, retryAfter, length, isChunked, state) = ([], nil, nil, false, .status)
            return
        }
        if status == 204 || status == 304 {
            state = .complete
        } else if isChunked {
            guard length == nil, version == UInt8(ascii: "1") else { throw .malformed("it has chunks and a length") }
            state = .chunkSize
        } else if let length {
            guard length <= HTTPClient.maximumBody else { throw .tooLong }
            state = length == 0 ? .complete : .sized(length)
        } else {
            isLast = true
            state = .toTheEnd
        }
    }

    /// `1a2b` or `1a2b;extension`.
    private mutating func readChunkSize(_ line: [UInt8]) throws(Problem) {
        let digits = line.prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") }
        guard let count = AnswerReader.number(digits, radix: 16) else { throw .malformed("a chunk's size is no number") }
        guard count <= HTTPClient.maximumBody - body.count else { throw .tooLong }
        state = count == 0 ? .trailer : .chunk(count)
    }

    /// Digits and nothing else. Numbers too large for any body are one that is, too.
    private static func number(_ digits: some Collection<UInt8>, radix: Int) -> Int? {
        var number = 0
        for digit in digits {
            let value: UInt8
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = digit - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): value = digit - UInt8(ascii: "A") + 10
            default: return nil
            }
            guard value < radix else { return nil }
            number = min(number * radix + Int(value), HTTPClient.maximumBody + 1)
        }
        return digits.isEmpty ? nil : number
    }

    /// Without blanks at either end.
    static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let isBlank = { (byte: UInt8) in byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        guard let start = text.firstIndex(where: { !isBlank($0) }), let end = text.lastIndex(where: { !isBlank($0) }) else {
            return []
        }
        return text[start...end]
    }

    static func lowercased(_ text: ArraySlice<UInt8>) -> [UInt8] {
        text.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
    }
}
