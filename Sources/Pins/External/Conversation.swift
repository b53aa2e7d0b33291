// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import PinKit

/// What is said to a program and heard from it, until it ends, says too much, or the deadline passes.
///
/// The program's end counts, not that of its output: something it left in the background may hold that open for ever. It
/// need not read what it is told. Needs SIGPIPE to be ignored in this process.
@safe struct Conversation: ~Copyable {
    private var child: Child
    /// For messages.
    private let name: String
    private var unsaid: UnsafeRawBufferPointer
    private let answer: UnsafeMutableRawBufferPointer
    /// Bytes that `answer` has room for: one more than may come.
    private let room: Int
    private var heard = 0
    private var diagnostic = Diagnostic()

    init(
        with child: consuming Child, _ name: String, saying input: UnsafeRawBufferPointer,
        hearing answer: UnsafeMutableRawBufferPointer
    ) {
        self.child = child
        self.name = name
        unsafe unsaid = input
        unsafe self.answer = answer
        room = answer.count
    }

    /// The number of bytes heard, if the program ended with status 0.
    mutating func run(before deadline: Deadline) throws(PinError) -> Int {
        var hasEnded = false
        while !hasEnded {
            guard !deadline.hasPassed else { throw late() }
            hasEnded = try wait(until: deadline)
            // What the program wrote before its end is in the pipes by now.
            try say()
            try hear()
            try hearErrors()
        }
        guard let status = child.end() else { throw failure("cannot be ended") }
        guard status == 0 else { throw failure(Conversation.words(for: status)) }
        return heard
    }

    /// Waits for something to do; true when the program has ended.
    private func wait(until deadline: Deadline) throws(PinError) -> Bool {
        var events = [
            pollfd(fd: child.ending.number, events: Int16(POLLIN), revents: 0),
            pollfd(fd: child.input.number, events: Int16(POLLOUT), revents: 0),
            pollfd(fd: child.output.number, events: Int16(POLLIN), revents: 0),
            pollfd(fd: child.errors.number, events: Int16(POLLIN), revents: 0),
        ]
        guard unsafe poll(&events, nfds_t(events.count), Int32(deadline.millisecondsLeft)) >= 0 || errno == EINTR else {
            throw failure(SystemError("poll").description)
        }
        return events[0].revents != 0
    }

    private mutating func say() throws(PinError) {
        guard child.input.isOpen else { return }
        while unsafe !unsaid.isEmpty {
            let count = unsafe write(child.input.number, unsaid.baseAddress, unsaid.count)
            guard count >= 0 else {
                if errno == EINTR { continue }
                if errno == EAGAIN { return }
                // It has closed its input: not everyone wants to know everything.
                guard errno == EPIPE else { throw failure(SystemError("write").description) }
                break
            }
            unsafe unsaid = UnsafeRawBufferPointer(rebasing: unsaid[count...])
        }
        child.input.close()
    }

    private mutating func hear() throws(PinError) {
        guard child.output.isOpen else { return }
        while heard < room {
            guard let count = try unsafe receive(child.output.number, answer.baseAddress! + heard, room - heard) else {
                return
            }
            guard count > 0 else {
                child.output.close()
                return
            }
            heard += count
        }
        throw failure("answered more than \(room - 1) bytes")
    }

    private mutating func hearErrors() throws(PinError) {
        guard child.errors.isOpen else { return }
        var chunk = [UInt8](repeating: 0, count: 4096)
        while let count = try unsafe receive(child.errors.number, &chunk, chunk.count) {
            guard count > 0 else {
                child.errors.close()
                return
            }
            guard diagnostic.append(chunk[..<count]) else {
                throw failure("wrote more than \(Diagnostic.limit) bytes of errors")
            }
        }
    }

    /// The number of bytes received, 0 at the end, nil where there is nothing yet.
    private func receive(
        _ descriptor: Int32, _ start: UnsafeMutableRawPointer, _ count: Int
    ) throws(PinError) -> Int? {
        while true {
            let count = unsafe read(descriptor, start, count)
            if count >= 0 { return count }
            if errno == EAGAIN { return nil }
            guard errno == EINTR else { throw failure(SystemError("read").description) }
        }
    }

    private func late() -> PinError {
        PinError(.unavailable, step: name, detail: described("no answer before the deadline; killed"))
    }

    private func failure(_ detail: String) -> PinError { PinError(.failed, step: name, detail: described(detail)) }

    private func described(_ detail: String) -> String {
        let line = diagnostic.line
        return line.isEmpty ? detail : "\(detail): \(line)"
    }

    /// What wait()'s status means; its macros are out of Swift's reach.
    private static func words(for status: Int32) -> String {
        let signal = status & 0x7f
        return signal == 0 ? "exit status \(status >> 8 & 0xff)" : "ended by signal \(signal)"
    }
}
