// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import PinKit

/// A TCP connection, begun at once and waited for where it is needed. For use by one thread at a time.
///
/// The addresses of a name are tried in their order, a quarter of a second apart, and the first that answers is taken.
final class TCPConnection: @unchecked Sendable {
    typealias LookUp = @Sendable (String, UInt16) throws(SocketAddress.Missing) -> [SocketAddress]

    /// Milliseconds until the next address is tried beside those that have not answered (RFC 8305 §5).
    private static let patience = 250

    private let host: String
    private let port: UInt16
    /// Those that are being connected; one, once that is done.
    private var descriptors: [Int32] = []
    private var isConnected = false
    private var untried: ArraySlice<SocketAddress> = []
    private let lookup = Mailbox<Result<[SocketAddress], SocketAddress.Missing>>()
    private var isLookingUp = false
    /// Why the latest of those that were tried did not answer.
    private var reason = ""

    /// Contacts a numeric address now. A name is looked up on a thread of its own, since that cannot be told when to end: the
    /// deadline leaves it behind.
    init(to host: String, port: UInt16, lookUp: @escaping LookUp = SocketAddress.lookUp) {
        self.host = host
        self.port = port
        if let known = SocketAddress.known(host, port: port) {
            untried = known[...]
            tryNext()
            return
        }
        let lookup = lookup
        isLookingUp = startWorker {
            lookup.post(Result { () throws(SocketAddress.Missing) in try lookUp(host, port) })
        }
        if !isLookingUp { reason = "no thread to look the name up" }
    }

    deinit {
        for descriptor in descriptors { close(descriptor) }
    }

    /// Sends all of `bytes`.
    func send(_ bytes: [UInt8], before deadline: Deadline) throws(HTTPFailure) {
        try unsafe bytes.withUnsafeBufferPointer { (bytes) throws(HTTPFailure) in
            try unsafe send(UnsafeRawBufferPointer(bytes), before: deadline)
        }
    }

    func send(_ bytes: UnsafeRawBufferPointer, before deadline: Deadline) throws(HTTPFailure) {
        try connect(before: deadline)
        var rest = unsafe bytes[...]
        while unsafe !rest.isEmpty {
            try wait(POLLOUT, before: deadline)
            let piece = unsafe UnsafeRawBufferPointer(rebasing: rest)
            let count = unsafe Glibc.send(descriptors[0], piece.baseAddress, piece.count, Int32(MSG_NOSIGNAL))
            if count >= 0 { unsafe rest = rest.dropFirst(count) } else { try TCPConnection.require(errno) }
        }
    }

    /// Sends what fits into the connection as it is, and waits for nothing.
    func sendAtOnce(_ bytes: [UInt8]) {
        guard isConnected else { return }
        _ = unsafe bytes.withUnsafeBytes { unsafe Glibc.send(descriptors[0], $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    }

    /// Some bytes; none where the other end has closed.
    func receive(before deadline: Deadline) throws(HTTPFailure) -> [UInt8] {
        while true {
            try wait(POLLIN, before: deadline)
            var failure: Int32 = 0
            let bytes = unsafe [UInt8](unsafeUninitializedCapacity: 16 << 10) { buffer, count in
                let received = unsafe recv(descriptors[0], buffer.baseAddress, buffer.count, 0)
                failure = received < 0 ? errno : 0
                count = max(0, received)
            }
            if failure == 0 { return bytes }
            try TCPConnection.require(failure)
        }
    }

    /// Throws unless what failed with `number` may be tried again.
    private static func require(_ number: Int32) throws(HTTPFailure) {
        guard number != EINTR, number != EAGAIN else { return }
        let isClosed = number == ECONNRESET || number == EPIPE
        throw HTTPFailure(isClosed ? .closed : .other, Errno(number: number).description)
    }

    private func wait(_ event: Int32, before deadline: Deadline) throws(HTTPFailure) {
        var events = [pollfd(fd: descriptors[0], events: Int16(event), revents: 0)]
        repeat {
            // Also for who never stops talking.
            guard !deadline.hasPassed else { throw HTTPFailure(.other, "no answer before the deadline") }
        } while unsafe poll(&events, 1, Int32(deadline.millisecondsLeft)) <= 0
    }
}

// MARK: - Connecting

extension TCPConnection {
    private func connect(before deadline: Deadline) throws(HTTPFailure) {
        if isLookingUp { try takeAddresses(before: deadline) }
        while !isConnected {
            if descriptors.isEmpty, !tryNext() {
                throw HTTPFailure(.other, "connect to \(host) port \(port): \(reason)")
            }
            guard !deadline.hasPassed else {
                throw HTTPFailure(.other, "connect to \(host) port \(port): no answer before the deadline")
            }
            let time = min(deadline.millisecondsLeft, untried.isEmpty ? Int.max : TCPConnection.patience)
            if settle(within: time) == 0 { tryNext() }
        }
    }

    private func takeAddresses(before deadline: Deadline) throws(HTTPFailure) {
        isLookingUp = false
        switch lookup.next(before: deadline) {
        case .success(let found): untried = found[...]
        case .failure(let missing): throw HTTPFailure(.other, "look up \(host): \(missing.reason)")
        case nil: throw HTTPFailure(.other, "look up \(host): no answer before the deadline")
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
            let failure = TCPConnection.failure(of: descriptor)
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
