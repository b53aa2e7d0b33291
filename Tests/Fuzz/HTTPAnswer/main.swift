// SPDX-License-Identifier: Apache-2.0
import HTTPClient

/// An answer of a server over http: it is the same in one piece and in two, and no longer than what came.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    unsafe Harness.run(start, count) { bytes in
        let whole = Reading([bytes[...]])
        precondition(whole.body.count <= bytes.count)
        let middle = bytes.isEmpty ? 0 : Int(bytes[bytes.count / 2]) % bytes.count
        let halves = Reading([bytes[..<middle], bytes[middle...]])
        precondition(halves == whole)
        _ = RequestURL(String(decoding: bytes.prefix(256), as: UTF8.self))
    }
}

private struct Reading: Equatable {
    var status = 0
    var body: [UInt8] = []
    var allowsAnother = false
    var problem: AnswerReader.Problem?

    init(_ pieces: [ArraySlice<UInt8>]) {
        var reader = AnswerReader()
        do throws(AnswerReader.Problem) {
            for piece in pieces { try reader.add(piece) }
            allowsAnother = reader.allowsAnother
            try reader.end()
        } catch {
            problem = error
        }
        guard let answer = reader.answer else { return }
        (status, body) = (answer.status, answer.body)
    }
}
