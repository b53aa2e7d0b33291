// SPDX-License-Identifier: Apache-2.0
internal import CCurl
public import PinKit

/// Sends requests to one server over connections that it keeps and reuses, with a pinned key or with ordinary certificates.
///
/// Deliberately little: no redirects, no proxies (those of the environment included), no other protocols, nothing of netrc.
/// Cookies live in memory, for as long as the client. For use by one thread at a time.
@safe public final class HTTPClient {
    /// Bytes of the body of an answer.
    public static let maximumBody = 1 << 20
    /// Bytes of its headers.
    public static let maximumHead = 1 << 16
    /// The media type of most answers that are asked for.
    public static let json = "application/json"

    let curl: LibCurl
    let easy: UnsafeMutableRawPointer
    /// Where libcurl says in words what went wrong in the latest request.
    let words: UnsafeMutablePointer<CChar>
    private let allowsPlainHTTP: Bool

    /// - Parameters:
    ///   - tlsPin: SHA-256 of the server's SubjectPublicKeyInfo. It then takes the place of certificate authorities, names and
    ///     dates, which a guest with no clock and no root certificates cannot check; nil for ordinary verification.
    ///   - allowsPlainHTTP: whether `http` may leave this machine. To a loopback address it always may.
    ///
    /// `.unavailable` where libcurl is missing or older than 7.85.
    public init(tlsPin: [UInt8]? = nil, allowsPlainHTTP: Bool = false) throws(PinError) {
        let curl = try LibCurl.shared()
        guard let easy = unsafe cvm_curl_easy_init(curl.functions) else {
            throw PinError(.failed, step: "curl_easy_init", detail: "libcurl gave no reason")
        }
        self.curl = curl
        unsafe self.easy = easy
        unsafe words = .allocate(capacity: Int(CURL_ERROR_SIZE))
        unsafe words.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        self.allowsPlainHTTP = allowsPlainHTTP
        try restrict()
        try trust(tlsPin)
    }

    /// Starts to open libcurl, which takes some 5 ms, on a thread of its own: for who will need it after other work.
    public static func preload() {
        _ = startWorker { _ = try? LibCurl.shared() }
    }

    deinit {
        unsafe cvm_curl_easy_cleanup(curl.functions, easy)
        unsafe words.deallocate()
    }

    /// Sends `body` and waits for the whole answer, whatever its status, at most until `deadline`.
    ///
    /// `.unavailable` with libcurl's words and how long it tried; `.refused` when the server is not the pinned one or answers
    /// with more than ``maximumBody`` bytes; `.malformed` for an address that may not be contacted.
    public func post(
        _ url: String, body: [UInt8], contentType: String = json, before deadline: Deadline
    ) throws(PinError) -> HTTPResponse {
        let headers = ["Content-Type: \(contentType)", "Expect:", "Accept: \(Self.json)"]
        return try send(body, headers, to: url, before: deadline)
    }

    /// Asks for what is at `url`; limits and errors are those of ``post(_:body:contentType:before:)``.
    /// `accept`: the media type that is asked for.
    public func get(
        _ url: String, accept: String = json, before deadline: Deadline
    ) throws(PinError) -> HTTPResponse {
        try send(nil, ["Accept: \(accept)"], to: url, before: deadline)
    }

    /// A GET where there is no body, else a POST.
    private func send(
        _ body: [UInt8]?, _ headers: [String], to url: String, before deadline: Deadline
    ) throws(PinError) -> HTTPResponse {
        let step = "\(body == nil ? "GET" : "POST") \(url)"
        let address = try RequestURL(url, curl, step: step)
        guard address.isEncrypted || allowsPlainHTTP || address.isLoopback else {
            throw PinError(.malformed, step: step, detail: "http is for this machine only; use https")
        }
        let headers = try HeaderList(headers, curl)
        return try Transfer(self, step: step, before: deadline).run(address, headers, body)
    }

    /// What never changes from request to request.
    private func restrict() throws(PinError) {
        try unsafe set(CURLOPT_ERRORBUFFER, pointer: words)
        // No SIGALRM from a library: the resolver runs on a thread, and its thread is not waited for at the end.
        try set(CURLOPT_NOSIGNAL, 1)
        _ = unsafe cvm_curl_set_long(curl.functions, easy, CURLOPT_QUICK_EXIT, 1)
        try set(CURLOPT_PROTOCOLS_STR, "https,http")
        try set(CURLOPT_FOLLOWLOCATION, 0)
        // An empty proxy also overrides http_proxy, https_proxy and ALL_PROXY.
        try set(CURLOPT_PROXY, "")
        try set(CURLOPT_NETRC, Int(CURL_NETRC_IGNORED.rawValue))
        try set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
        try set(CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2)
        try set(CURLOPT_USERAGENT, "cvm-clevis")
        // The empty name of a file turns cookies on without reading any.
        try set(CURLOPT_COOKIEFILE, "")
    }

    private func trust(_ pin: [UInt8]?) throws(PinError) {
        guard let pin else {
            try set(CURLOPT_SSL_VERIFYPEER, 1)
            return try set(CURLOPT_SSL_VERIFYHOST, 2)
        }
        guard pin.count == 32 else {
            throw PinError(.malformed, step: "TLS pin", detail: "\(pin.count) bytes, not 32")
        }
        try set(CURLOPT_PINNEDPUBLICKEY, "sha256//\(Base64.encode(pin))")
        try set(CURLOPT_SSL_VERIFYPEER, 0)
        try set(CURLOPT_SSL_VERIFYHOST, 0)
        // libcurl would read the system's 140 root certificates all the same.
        try set(CURLOPT_CAINFO, nil)
        try set(CURLOPT_CAPATH, nil)
    }

    func set(_ option: CURLoption, _ value: Int) throws(PinError) {
        try check(unsafe cvm_curl_set_long(curl.functions, easy, option, value), option)
    }

    private func set(_ option: CURLoption, _ value: String?) throws(PinError) {
        try check(unsafe cvm_curl_set_text(curl.functions, easy, option, value), option)
    }

    /// What `value` points at stays the caller's and must live until the request is over; the next one sets it anew.
    func set(_ option: CURLoption, pointer value: UnsafeMutableRawPointer?) throws(PinError) {
        try check(unsafe cvm_curl_set_pointer(curl.functions, easy, option, value), option)
    }

    func check(_ code: CURLcode, _ option: CURLoption) throws(PinError) {
        guard code == CURLE_OK else {
            throw PinError(
                .unavailable, step: "libcurl option \(option.rawValue)",
                detail: "\(curl.text(of: code)); libcurl 7.85 or later is needed")
        }
    }
}

/// An answer with its whole body.
public struct HTTPResponse: Sendable {
    public let status: Int
    public let body: [UInt8]
    /// Seconds that the server wants to be left alone for (`Retry-After`), more than 0.
    public let retryAfter: Int?

    /// Lines as they came, the status line among them.
    private let head: [UInt8]

    public init(status: Int, body: [UInt8], retryAfter: Int? = nil, head: [UInt8] = []) {
        self.status = status
        self.body = body
        self.retryAfter = retryAfter
        self.head = head
    }

    /// The value of the first header `name`, without spaces around it; nil where there is none.
    public func header(_ name: String) -> String? {
        let wanted = name.lowercased()
        for line in head.split(separator: UInt8(ascii: "\n")) {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
            guard String(decoding: line[..<colon], as: UTF8.self).lowercased() == wanted else { continue }
            let value = line[line.index(after: colon)...]
            let isSpace = { (byte: UInt8) in byte == 0x20 || byte == 0x09 || byte == 0x0d }
            guard let first = value.firstIndex(where: { !isSpace($0) }), let last = value.lastIndex(where: { !isSpace($0) })
            else {
                return ""
            }
            return String(decoding: value[first...last], as: UTF8.self)
        }
        return nil
    }
}
