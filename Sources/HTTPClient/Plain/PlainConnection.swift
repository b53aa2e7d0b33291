// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import PinKit

/// A TCP connection, begun at once and waited for where it is needed. For use by one thread at a time.
///
/// The addresses of a name are tried in their order, a quarter of a second apart, and the first that answers is taken.
final class PlainConnection: @unchecked Sendable {
    private typealias Lookup = Result<[SocketAddress], SocketAddress.Missing>

    /// Milliseconds until the next address is tried beside those that have not answered (RFC 8305 §5).
    private static let patience = 250

    let address: PlainAddress
    /// Those that are being connected; one, once that is done.
    private var descriptors: [Int32] = []
    private var isConnected = false
    private var untried: ArraySlice<SocketAddress> = []
    private let lookup = Mailbox<Lookup>()
    private var isLookingUp = false
    /// Why the latest of those that were tried did not answer.
    private var reason = ""

    /// Contacts a numeric address now. A name is looked up on a thread of its own, since that cannot be told when to end.
    init(to address: PlainAddress) {
        self.address = address
        let (host, port, lookup) = (address.host, address.port, lookup)
        if let numeric = try? SocketAddress.all(of: host, port: port, flags: AI_NUMERICHOST) {
            untried = numeric[...]
            tryNext()
            return
        }
        isLookingUp = startWorker {
            lookup.post(
                Lookup { () throws(SocketAddress.Missing) in
                    try SocketAddress.all(of: host, port: port, flags: AI_ADDRCONFIG)
                })
        }
        if !isLookingUp { reason = "no thread to look the name up" }
    }

    deinit {
        for descriptor in descriptors { close(descriptor) }
    }

    /// Sends all of `bytes`.
    func send(_ bytes: [UInt8], before deadline: Deadline) throws(PlainFailure) {
        try connect(before: deadline)
        var rest = bytes[...]
        while !rest.isEmpty {
            try wait(POLLOUT, before: deadline)
            let count = unsafe rest.withUnsafeBytes { bytes in
                unsafe Glibc.send(descriptors[0], bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
            }
            if count >= 0 { rest = rest.dropFirst(count) } else { try PlainConnection.require(errno) }
        }
    }

    /// Some bytes; none where the other end has closed.
    func receive(before deadline: Deadline) throws(PlainFailure) -> [UInt8] {
        while true {
            try wait(POLLIN, before: deadline)
            var failure: Int32 = 0
            let bytes = unsafe [UInt8](unsafeUninitializedCapacity: 16 << 10) { buffer, count in
                let received = unsafe recv(descriptors[0], buffer.baseAddress, buffer.count, 0)
                failure = received < 0 ? errno : 0
                count = max(0, received)
            }
            if failure == 0 { return bytes }
            try PlainConnection.require(failure)
        }
    }

    /// Throws unless what failed with `number` may be tried again.
    private static func require(_ number: Int32) throws(PlainFailure) {
        guard number != EINTR, number != EAGAIN else { return }
        let isClosed = number == ECONNRESET || number == EPIPE
        throw PlainFailure(isClosed ? .closed : .other, Errno(number: number).description)
    }

    private func wait(_ event: Int32, before deadline: Deadline) throws(PlainFailure) {
        var events = [pollfd(fd: descriptors[0], events: Int16(event), revents: 0)]
        while unsafe poll(&events, 1, Int32(deadline.millisecondsLeft)) <= 0 {
            guard !deadline.hasPassed else { throw PlainFailure(.other, "no answer before the deadline") }
        }
    }
}

/// Why there is no answer.
struct PlainFailure: Error {
    enum Kind {
        /// By the server, before it said anything.
        case closed
        case tooLong
        case other
    }

    let kind: Kind
    let reason: String

    init(_ kind: Kind, _ reason: String) {
        self.kind = kind
        self.reason = reason
    }

    init(_ problem: AnswerReader.Problem) {
        switch problem {
        case .tooLong: self.init(.tooLong, "the answer is too long")
        case .malformed(let text): self.init(.other, "not an answer of HTTP/1: \(text)")
        }
    }
}

// MARK: - Connecting

extension PlainConnection {
    private func connect(before deadline: Deadline) throws(PlainFailure) {
        if isLookingUp { try takeAddresses(before: deadline) }
        while !isConnected {
            if descriptors.isEmpty, !tryNext() {
                throw PlainFailure(.other, "connect to \(address.host) port \(address.port): \(reason)")
            }
            guard !deadline.hasPassed else {
                throw PlainFailure(.other, "connect to \(address.host) port \(address.port): no answer before the deadline")
            }
            let time = min(deadline.millisecondsLeft, untried.isEmpty ? Int.max : PlainConnection.patience)
            if settle(within: time) == 0 { tryNext() }
        }
    }

    private func takeAddresses(before deadline: Deadline) throws(PlainFailure) {
        isLookingUp = false
        switch lookup.next(before: deadline) {
        case .success(let found): untried = found[...]
        case .failure(let missing): throw PlainFailure(.other, "look up \(address.host): \(missing.reason)")
        case nil: throw PlainFailure(.other, "look up \(address.host): no answer before the deadline")
        }
    }

    /// Begins with the next address; false where there is none.
    @discardableResult private func tryNext() -> Bool {
        while let next = untried.popFirst() {
            do throws(Errno) {
                descriptors.append(try next.begin())
                return true
            } catch {
                reason = error.description
            }
        }
        return false
    }

    /// Waits until a connection is made or fails, and keeps only the first that is made. Returns how many came to an end.
    private func settle(within milliseconds: Int) -> Int {
        var events = descriptors.map { pollfd(fd: $0, events: Int16(POLLOUT), revents: 0) }
        guard unsafe poll(&events, nfds_t(events.count), Int32(milliseconds)) > 0 else { return 0 }
        let ready = events.filter { $0.revents != 0 }.map(\.fd)
        for descriptor in ready {
            let failure = PlainConnection.failure(of: descriptor)
            if failure == 0 {
                for other in descriptors where other != descriptor { close(other) }
                descriptors = [descriptor]
                isConnected = true
                break
            }
            reason = Errno(number: failure).description
            close(descriptor)
            descriptors.removeAll { $0 == descriptor }
        }
        return ready.count
    }

    private static func failure(of descriptor: Int32) -> Int32 {
        var failure: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failure, &length) == 0 else { return errno }
        return failure
    }
}
