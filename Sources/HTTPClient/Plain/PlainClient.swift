// SPDX-License-Identifier: Apache-2.0
internal import Glibc
public import PinKit
internal import Synchronization

/// Sends requests over http to one server, without libcurl, which takes longer to load than most servers to answer.
///
/// For who needs neither TLS nor cookies: what goes over the wire is public, and what comes back is checked by whoever asked.
/// The connection is begun when the client is made, so that a server that starts a process for each has done so when it is
/// asked. No redirects, no proxies. For use by one thread at a time.
public final class PlainClient {
    /// Connections that were begun ahead, each for one client.
    private static let waiting = Mutex<[PlainConnection]>([])
    private static let maximumWaiting = 8
    /// Microseconds after which they are closed: a server has work with each.
    private static let maximumWait: UInt32 = 1_000_000

    private let address: PlainAddress
    /// nil where a request has left it in a state that no other may follow.
    private var connection: PlainConnection?

    /// nil for an address that only libcurl can contact: https, or one that is not plain in every character.
    public init?(for url: String) {
        guard let address = PlainAddress(url) else { return nil }
        self.address = address
        let begun = PlainClient.waiting.withLock { waiting -> PlainConnection? in
            let index = waiting.firstIndex { $0.address.host == address.host && $0.address.port == address.port }
            return index.map { waiting.remove(at: $0) }
        }
        connection = begun ?? PlainConnection(to: address)
    }

    /// Begins a connection that the next client for the same server will use: for who will need it after other work. False for
    /// an address that is not plain.
    public static func prepare(for url: String) -> Bool {
        guard let address = PlainAddress(url) else { return false }
        keep(PlainConnection(to: address))
        return true
    }

    /// Leaves the connection to the next client for the same server, which must come soon.
    public func handOver() {
        if let connection { PlainClient.keep(connection) }
        connection = nil
    }

    private static func keep(_ connection: PlainConnection) {
        let isKept = waiting.withLock { waiting in
            guard waiting.count < maximumWaiting else { return false }
            waiting.append(connection)
            return true
        }
        guard isKept else { return }
        let isEnding = startWorker {
            usleep(maximumWait)
            waiting.withLock { $0.removeAll { $0 === connection } }
        }
        if !isEnding { waiting.withLock { $0.removeAll { $0 === connection } } }
    }

    /// Limits and errors are those of ``HTTPClient/post(_:body:contentType:before:)``. `url` leads to the client's server.
    public func post(
        _ url: String, body: [UInt8], contentType: String, before deadline: Deadline
    ) throws(PinError) -> HTTPResponse {
        let fields = ["Content-Type: \(contentType)", "Content-Length: \(body.count)"]
        return try send("POST", url, fields, body, before: deadline)
    }

    public func get(_ url: String, before deadline: Deadline) throws(PinError) -> HTTPResponse {
        try send("GET", url, [], [], before: deadline)
    }

    private func send(
        _ method: String, _ url: String, _ fields: [String], _ body: [UInt8], before deadline: Deadline
    ) throws(PinError) -> HTTPResponse {
        let step = "\(method) \(url)"
        guard let target = PlainAddress(url), target.host == address.host, target.port == address.port else {
            throw PinError(.malformed, step: step, detail: "not an address of this client's server")
        }
        let time = deadline.millisecondsLeft
        guard time > 0 else { throw PinError(.unavailable, step: step, detail: "not tried: the deadline has passed") }
        let lines = [
            "\(method) \(target.path) HTTP/1.1", "Host: \(target.authority)", "User-Agent: cvm-clevis",
            "Accept: application/json",
        ]
        let head = (lines + fields).map { "\($0)\r\n" }.joined() + "\r\n"
        do throws(PlainFailure) {
            return try exchange(Array(head.utf8) + body, before: deadline)
        } catch {
            guard error.kind != .tooLong else {
                throw PinError(.refused, step: step, detail: "the answer is longer than \(HTTPClient.maximumBody) bytes")
            }
            let tried = time - deadline.millisecondsLeft
            throw PinError(.unavailable, step: step, detail: "\(error.reason) (tried for \(tried) ms)")
        }
    }

    /// One request and its answer; on a new connection where the server had closed the one that was there.
    private func exchange(_ request: [UInt8], before deadline: Deadline) throws(PlainFailure) -> HTTPResponse {
        if let begun = connection {
            do throws(PlainFailure) {
                return try exchange(request, over: begun, before: deadline)
            } catch {
                guard error.kind == .closed else { throw error }
            }
        }
        return try exchange(request, over: PlainConnection(to: address), before: deadline)
    }

    private func exchange(
        _ request: [UInt8], over connection: PlainConnection, before deadline: Deadline
    ) throws(PlainFailure) -> HTTPResponse {
        self.connection = nil
        try connection.send(request, before: deadline)
        var reader = AnswerReader()
        var isSilent = true
        while true {
            let bytes = try connection.receive(before: deadline)
            guard !bytes.isEmpty || !isSilent else {
                throw PlainFailure(.closed, "the server closed the connection without an answer")
            }
            isSilent = false
            do throws(AnswerReader.Problem) {
                if bytes.isEmpty { try reader.end() } else { try reader.add(bytes) }
            } catch {
                throw PlainFailure(error)
            }
            guard let answer = reader.answer else { continue }
            if reader.allowsAnother { self.connection = connection }
            return answer
        }
    }
}
