// SPDX-License-Identifier: Apache-2.0
import HTTPClient
import Testing

/// The whole of `text` in one piece, then the end of the connection.
private func read(_ text: String) throws -> (status: Int, body: String, allowsAnother: Bool) {
    var reader = AnswerReader()
    try reader.add(text.utf8)
    let allowsAnother = reader.allowsAnother
    try reader.end()
    let answer = try #require(reader.answer)
    return (answer.status, String(decoding: answer.body, as: UTF8.self), allowsAnother)
}

@Suite struct AnswerReaderTests {
    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, "abc", true),
        ("HTTP/1.1 404\r\nCONTENT-LENGTH:0\r\n\r\n", 404, "", true),
        ("HTTP/1.1 200 OK\nContent-Length: 3\n\nabc", 200, "abc", true),
        ("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, "abc", false),
        ("HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 1\r\n\r\na", 200, "a", false),
        ("HTTP/1.1 200 OK\r\n\r\nall of it", 200, "all of it", false),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\nTrailer: t\r\n\r\n", 200,
            "abc", true
        ),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", 200, "a", true),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", 204, "", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\n", 200, "a", false),
    ]) func `an answer ends where it says, or with the connection`(text: String, status: Int, body: String, another: Bool)
        throws
    {
        #expect(try read(text) == (status, body, another))
    }

    @Test(arguments: [
        "", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 20\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 099 No\r\n\r\n", "HTTP/1.1 101 Switching\r\n\r\n", "ICY 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n\r\na", "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\na", "HTTP/1.1 200 OK\r\nno field\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: empty\r\n\r\n",
    ]) func `what two could read in two ways, or is cut off, is malformed`(text: String) {
        let problem = #expect(throws: AnswerReader.Problem.self) { _ = try read(text) }
        #expect(problem != .tooLong)
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffffff\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n",
    ]) func `a length over the limit is too long before anything of it has come`(text: String) {
        #expect(throws: AnswerReader.Problem.tooLong) { _ = try read(text) }
    }

    @Test func `a body to the end of the connection has the limit too`() throws {
        var reader = AnswerReader()
        try reader.add("HTTP/1.1 200 OK\r\n\r\n".utf8)
        try reader.add([UInt8](repeating: 0, count: HTTPClient.maximumBody))
        #expect(throws: AnswerReader.Problem.tooLong) { try reader.add([0]) }
    }

    @Test func `a head without end is malformed`() {
        var reader = AnswerReader()
        let line = Array("X: \(String(repeating: "y", count: 1000))\r\n".utf8)
        #expect(throws: AnswerReader.Problem.self) {
            try reader.add("HTTP/1.1 200 OK\r\n".utf8)
            for _ in 0..<100 { try reader.add(line) }
        }
    }

    @Test func `pieces of one byte give the same answer`() throws {
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\nTrailer: t\r\n\r\n"
        var reader = AnswerReader()
        for byte in text.utf8 { try reader.add([byte]) }
        #expect(reader.answer?.body == Array("abc".utf8) && reader.allowsAnother)
    }
}
