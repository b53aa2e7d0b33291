// SPDX-License-Identifier: Apache-2.0

/// An answer with its whole body.
public struct HTTPResponse: Sendable {
    public let status: Int
    public let body: [UInt8]
    /// Seconds that the server wants to be left alone for (`Retry-After`), more than 0; nil also where it names a date.
    public let retryAfter: Int?

    /// The lines of its fields, each with a line feed at its end.
    private let head: [UInt8]

    public init(status: Int, body: [UInt8], retryAfter: Int? = nil, head: [UInt8] = []) {
        self.status = status
        self.body = body
        self.retryAfter = retryAfter
        self.head = head
    }

    /// The value of the first header `name`, without spaces around it; nil where there is none.
    public func header(_ name: String) -> String? { headers(name).first }

    /// The values of all headers `name`, in their order.
    func headers(_ name: String) -> [String] {
        let wanted = Array(name.utf8)[...]
        return head.split(separator: UInt8(ascii: "\n")).compactMap { line in
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")),
                AnswerReader.lowercased(line[..<colon]) == AnswerReader.lowercased(wanted)
            else { return nil }
            return String(decoding: AnswerReader.trimmed(line[line.index(after: colon)...]), as: UTF8.self)
        }
    }
}
