// SPDX-License-Identifier: Apache-2.0
internal import CSpawn
internal import Glibc

/// An open descriptor, closed when it goes, or earlier.
struct Descriptor: ~Copyable {
    /// -1 when it is closed, which poll() leaves out.
    private(set) var number: Int32

    var isOpen: Bool { number >= 0 }

    init(_ number: Int32) { self.number = number }

    mutating func close() {
        Glibc.close(number)
        number = -1
    }

    deinit {
        if number >= 0 { Glibc.close(number) }
    }
}

/// Both ends of a pipe, which no other child inherits.
struct Pipe: ~Copyable {
    let reading: Descriptor
    let writing: Descriptor

    init() throws(SystemError) {
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe2(&ends, O_CLOEXEC) == 0 else { throw SystemError("pipe2") }
        reading = Descriptor(ends[0])
        writing = Descriptor(ends[1])
    }
}

/// A call that failed, and what the kernel said.
struct SystemError: Error, CustomStringConvertible {
    let description: String

    init(_ call: String, _ code: Int32 = errno) {
        description = "\(call): \(unsafe String(cString: strerror(code)))"
    }
}
