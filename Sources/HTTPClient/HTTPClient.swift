// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// Sends requests to one server over a connection that it keeps, with a pinned key or with ordinary certificates.
///
/// Deliberately little: HTTP/1.1, no redirects, no proxies (those of the environment included), no compression. Cookies live in
/// memory, for as long as the client. For use by one thread at a time.
public final class HTTPClient {
    /// Bytes of the body of an answer.
    public static let maximumBody = 1 << 20
    /// The media type of most answers that are asked for.
    public static let json = "application/json"

    private let tlsPin: [UInt8]?
    private let authorities: [UInt8]
    private let allowsPlainHTTP: Bool
    /// Whom it asked last.
    private var peer: Peer?
    /// nil where a request has left it in a state that no other may follow.
    private var connection: Connection?
    private var cookies = Cookies()

    /// - Parameters:
    ///   - tlsPin: SHA-256 of the server's SubjectPublicKeyInfo, or of two that it may have, one after the other. It then takes the place of certificate authorities, names and
    ///     dates, which a guest with no clock and no root certificates cannot check; nil for ordinary verification.
    ///   - authorities: PEM of the only certificates that ordinary verification may end at; empty for the system's.
    ///   - allowsPlainHTTP: whether `http` may leave this machine. To a loopback address it always may.
    public init(
        tlsPin: [UInt8]? = nil, authorities: [UInt8] = [], allowsPlainHTTP: Bool = false
    ) throws(PinError) {
        if let tlsPin, tlsPin.count != 32, tlsPin.count != 64 {
            throw PinError(.malformed, step: "TLS pin", detail: "\(tlsPin.count) bytes, not 32 or 64")
        }
        self.tlsPin = tlsPin
        self.authorities = authorities
        self.allowsPlainHTTP = allowsPlainHTTP
    }

    /// A client that connects to the server of `url` at once, for it may take the server longer to be there than to answer.
    /// `http` may leave this machine: for what is public on its way there, and checked by whoever asked on its way back.
    public init(connectingTo url: String) {
        tlsPin = nil
        authorities = []
        allowsPlainHTTP = true
        guard let peer = RequestURL(url).map({ Peer($0, pin: nil) }) else { return }
        self.peer = peer
        connection = BegunConnections.take(to: peer) ?? Connection(to: peer)
        if peer.isEncrypted { HTTPClient.preload() }
    }

    /// Begins a connection that the next client for the same server will use: for who will need it after other work.
    public static func prepare(for url: String) {
        guard let peer = RequestURL(url).map({ Peer($0, pin: nil) }) else { return }
        BegunConnections.keep(Connection(to: peer))
        if peer.isEncrypted { preload() }
    }

    /// Starts to open libssl, which takes some milliseconds, on a thread of its own: for who will need it after other work.
    public static func preload() {
        _ = startWorker { _ = try? LibSSL.context(isPinned: true) }
    }

    /// Leaves the connection to the next client for the same server, which must come soon.
    public func handOver() {
        if let connection { BegunConnections.keep(connection) }
        connection = nil
    }

    /// Sends `body` and waits for the whole answer, whatever its status, at most until `deadline`.
    ///
    /// `.unavailable` with the reason and how long it tried; `.refused` when the server is not the one that is wanted or
    /// answers with more than ``maximumBody`` bytes; `.malformed` for an address that may not be contacted.
    public func post(
        _ url: String, body: [UInt8], contentType: String = json, before deadline: Deadline
    ) throws(PinError) -> HTTPResponse {
        let fields = ["Accept: \(Self.json)", "Content-Type: \(contentType)", "Content-Length: \(body.count)"]
        return try send("POST", url, fields, SecretBytes(copyingPublic: body), before: deadline)
    }

    /// Asks for what is at `url`; limits and errors are those of ``post(_:body:contentType:before:)``.
    /// `accept`: the media type that is asked for.
    public func get(
        _ url: String, accept: String = json, before deadline: Deadline
    ) throws(PinError) -> HTTPResponse {
        try send("GET", url, ["Accept: \(accept)"], SecretBytes(copyingPublic: []), before: deadline)
    }

    /// A call by any method under a bearer token (RFC 6750): what is sent lies in memory that is wiped. `fields`: further lines of
    /// its head. It may be sent twice, where the server closes a connection that was kept and says nothing.
    ///
    /// Limits and errors are those of ``post(_:body:contentType:before:)``; `.malformed` for a token or a line that would be more than
    /// one.
    public func call(
        _ method: String, _ url: String, fields: [String], token: borrowing SecretBytes, body: borrowing SecretBytes,
        before deadline: Deadline
    ) throws(PinError) -> HTTPResponse {
        let isOneLine = unsafe token.withUnsafeBytes { unsafe $0.allSatisfy { 0x21...0x7E ~= $0 } }
        guard isOneLine, fields.allSatisfy({ $0.utf8.allSatisfy { 0x20...0x7E ~= $0 } }) else {
            throw PinError(
                .malformed, step: "\(method) \(url)", detail: "the token is no token, or a header is more than one line")
        }
        let fields = fields + ["Accept: \(Self.json)", "Content-Length: \(body.count)"]
        return try send(method, url, fields, body, token, before: deadline)
    }

    private func send(
        _ method: String, _ url: String, _ fields: [String], _ body: borrowing SecretBytes,
        _ token: borrowing SecretBytes = SecretBytes(copyingPublic: []), before deadline: Deadline
    ) throws(PinError) -> HTTPResponse {
        let step = "\(method) \(url)"
        guard let target = RequestURL(url) else {
            throw PinError(.malformed, step: step, detail: "not an address of https or http that can be asked")
        }
        guard target.isEncrypted || allowsPlainHTTP || target.isLoopback else {
            throw PinError(.malformed, step: step, detail: "http is for this machine only; use https")
        }
        let time = deadline.millisecondsLeft
        guard time > 0 else { throw PinError(.unavailable, step: step, detail: "not tried: the deadline has passed") }
        let peer = Peer(target, pin: tlsPin, authorities: authorities)
        turn(to: peer)
        let lines = ["\(method) \(target.target) HTTP/1.1", "Host: \(target.authority)", "User-Agent: cvm-clevis"]
        let head = (lines + fields + [cookies.field].compactMap(\.self)).map { "\($0)\r\n" }.joined()
        let request = SecretBytes(copyingPublic: Array(head.utf8)).appending(Self.authorization(token)).appending(body)
        do throws(HTTPFailure) {
            let response = try exchange(request, with: peer, before: deadline)
            cookies.take(from: response)
            return response
        } catch {
            if error.kind == .refused { throw PinError(.refused, step: step, detail: error.reason) }
            let tried = time - deadline.millisecondsLeft
            throw PinError(.unavailable, step: step, detail: "\(error.reason) (tried for \(tried) ms)")
        }
    }

    /// The line that says whose token it is, where there is one, and the end of the head.
    private static func authorization(_ token: borrowing SecretBytes) -> SecretBytes {
        let end = SecretBytes(copyingPublic: Array("\r\n".utf8))
        guard !token.isEmpty else { return end }
        return SecretBytes(copyingPublic: Array("Authorization: Bearer ".utf8)).appending(token).appending(end).appending(
            end)
    }

    /// What one server said is nothing to another.
    private func turn(to peer: Peer) {
        guard self.peer != peer else { return }
        self.peer = peer
        connection = nil
        cookies = Cookies()
    }

    /// One request and its answer; on a new connection where the server had closed the one that was there, and said nothing.
    /// Every request that is sent by this client may come twice: tang's, a vendor's and those of a broker's guests change nothing
    /// there, and an administrator's change nothing the second time.
    private func exchange(_ request: borrowing SecretBytes, with peer: Peer, before deadline: Deadline) throws(HTTPFailure)
        -> HTTPResponse
    {
        if let begun = connection ?? BegunConnections.take(to: peer) {
            do throws(HTTPFailure) {
                return try exchange(request, over: begun, before: deadline)
            } catch {
                guard error.kind == .closed else { throw error }
            }
        }
        return try exchange(request, over: Connection(to: peer), before: deadline)
    }

    private func exchange(
        _ request: borrowing SecretBytes, over connection: Connection, before deadline: Deadline
    ) throws(HTTPFailure) -> HTTPResponse {
        self.connection = nil
        do throws(HTTPFailure) {
            try connection.send(request, before: deadline)
        } catch {
            // Who wants no more of a request may have said why.
            guard error.kind == .closed else { throw error }
        }
        var (reader, bytes) = (AnswerReader(), try connection.receive(before: deadline))
        guard !bytes.isEmpty else { throw HTTPFailure(.closed, "the server closed the connection without an answer") }
        while true {
            do throws(AnswerReader.Problem) {
                if bytes.isEmpty { try reader.end() } else { try reader.add(bytes) }
            } catch {
                throw HTTPFailure(error)
            }
            if let answer = reader.answer {
                if reader.allowsAnother { self.connection = connection }
                return answer
            }
            do throws(HTTPFailure) {
                bytes = try connection.receive(before: deadline)
            } catch {
                // What has been answered in part is not asked again.
                throw error.kind == .closed ? HTTPFailure(.other, "\(error.reason) in the midst of an answer") : error
            }
        }
    }
}
