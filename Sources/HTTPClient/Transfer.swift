// SPDX-License-Identifier: Apache-2.0
internal import CCurl
internal import PinKit

/// One request of a client, from setting it up to its answer or error.
struct Transfer {
    /// What libcurl's write callback fills.
    private final class Answer {
        var head: [UInt8] = []
        var bytes: [UInt8] = []
        var isTooLong = false
    }

    private let client: HTTPClient
    /// What errors say was being done: method and address.
    private let step: String
    private let deadline: Deadline
    /// Left until the deadline when it began.
    private let milliseconds: Int

    init(_ client: HTTPClient, step: String, before deadline: Deadline) throws(PinError) {
        self.client = client
        self.step = step
        self.deadline = deadline
        self.milliseconds = deadline.millisecondsLeft
        // To libcurl 0 would mean "for ever".
        guard milliseconds > 0 else {
            throw PinError(.unavailable, step: step, detail: "not tried: the deadline has passed")
        }
    }

    func run(
        _ address: borrowing RequestURL, _ headers: borrowing HeaderList, _ body: [UInt8]?
    ) throws(PinError) -> HTTPResponse {
        try client.set(CURLOPT_TIMEOUT_MS, milliseconds)
        try client.set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds)
        try unsafe client.set(CURLOPT_CURLU, pointer: UnsafeMutableRawPointer(address.handle))
        try unsafe client.set(CURLOPT_HTTPHEADER, pointer: headers.first)
        let answer = Answer()
        try receive(into: answer)
        let code = if let body { try post(body) } else { try get() }
        guard code == CURLE_OK else { throw error(code, answer) }
        let status = unsafe cvm_curl_status(client.curl.functions, client.easy)
        let pause = unsafe cvm_curl_retry_after(client.curl.functions, client.easy)
        return HTTPResponse(status: status, body: answer.bytes, retryAfter: pause > 0 ? Int(pause) : nil, head: answer.head)
    }

    private func get() throws(PinError) -> CURLcode {
        try client.set(CURLOPT_HTTPGET, 1)
        return unsafe cvm_curl_easy_perform(client.curl.functions, client.easy)
    }

    private func post(_ body: [UInt8]) throws(PinError) -> CURLcode {
        let curl = client.curl
        return try unsafe body.withUnsafeBufferPointer { (bytes) throws(PinError) in
            let count = curl_off_t(bytes.count)
            try client.check(
                unsafe cvm_curl_set_size(curl.functions, client.easy, CURLOPT_POSTFIELDSIZE_LARGE, count),
                CURLOPT_POSTFIELDSIZE_LARGE)
            // Without a pointer libcurl would read the body from standard input.
            let start = unsafe UnsafeRawPointer(bytes.baseAddress) ?? UnsafeRawPointer(client.words)
            try unsafe client.set(CURLOPT_POSTFIELDS, pointer: UnsafeMutableRawPointer(mutating: start))
            return unsafe cvm_curl_easy_perform(curl.functions, client.easy)
        }
    }

    /// `answer` stays alive in the caller for as long as the request runs.
    private func receive(into answer: Answer) throws(PinError) {
        let code = unsafe cvm_curl_set_writer(client.curl.functions, client.easy) { bytes, size, count, context in
            guard let bytes = unsafe bytes, let context = unsafe context else { return 0 }
            let answer = unsafe Unmanaged<Answer>.fromOpaque(context).takeUnretainedValue()
            let length = size * count
            guard length <= HTTPClient.maximumBody - answer.bytes.count else {
                answer.isTooLong = true
                return 0
            }
            unsafe answer.bytes.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: length))
            return length
        }
        try client.check(code, CURLOPT_WRITEFUNCTION)
        try unsafe client.set(CURLOPT_WRITEDATA, pointer: Unmanaged.passUnretained(answer).toOpaque())
        try receiveHead(into: answer)
    }

    private func receiveHead(into answer: Answer) throws(PinError) {
        let code = unsafe cvm_curl_set_header_writer(client.curl.functions, client.easy) { bytes, size, count, context in
            guard let bytes = unsafe bytes, let context = unsafe context else { return 0 }
            let answer = unsafe Unmanaged<Answer>.fromOpaque(context).takeUnretainedValue()
            let length = size * count
            guard length <= HTTPClient.maximumHead - answer.head.count else {
                answer.isTooLong = true
                return 0
            }
            unsafe answer.head.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: length))
            return length
        }
        try client.check(code, CURLOPT_HEADERFUNCTION)
        try unsafe client.set(CURLOPT_HEADERDATA, pointer: Unmanaged.passUnretained(answer).toOpaque())
    }

    /// libcurl's own words, which say more than the code's.
    private func reason(_ code: CURLcode) -> String {
        let words = unsafe String(cString: client.words)
        return words.isEmpty ? client.curl.text(of: code) : words
    }

    private func error(_ code: CURLcode, _ answer: Answer) -> PinError {
        switch code {
        case CURLE_WRITE_ERROR where answer.isTooLong:
            return PinError(.refused, step: step, detail: "the answer is longer than \(HTTPClient.maximumBody) bytes")
        case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
            return PinError(.refused, step: step, detail: "the server's TLS key is not the pinned one")
        case CURLE_PEER_FAILED_VERIFICATION:
            return PinError(.refused, step: step, detail: reason(code))
        case CURLE_UNSUPPORTED_PROTOCOL, CURLE_URL_MALFORMAT:
            return PinError(.malformed, step: step, detail: reason(code))
        default:
            let tried = milliseconds - deadline.millisecondsLeft
            return PinError(.unavailable, step: step, detail: "\(reason(code)) (tried for \(tried) ms)")
        }
    }
}
