// SPDX-License-Identifier: Apache-2.0
import FileIO
import Glibc
import PinKit

/// One line to standard error, which in an initrd is console and journal; nobody is there to whom a failure to write could
/// be told.
enum Console {
    static func say(_ line: String) { try? FileIO.write(2, "cvm-clevis-unlock: \(line)\n") }

    /// To the machine's console, a serial line perhaps that others fill faster than it empties: it is given a second.
    static func sayOnScreen(_ line: String) {
        let console = unsafe open("/dev/console", O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
        guard console >= 0 else { return }
        defer { close(console) }
        let deadline = Deadline.after(seconds: 1)
        var rest = Array("cvm-clevis-unlock: \(line)\r\n".utf8)[...]
        while !rest.isEmpty, !deadline.hasPassed {
            let count = unsafe rest.withUnsafeBytes { unsafe write(console, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                var event = pollfd(fd: console, events: Int16(POLLOUT), revents: 0)
                _ = unsafe poll(&event, 1, Int32(deadline.millisecondsLeft))
            } else if errno != EINTR {
                return
            }
        }
    }

    static func answer(_ text: String) { try? FileIO.write(1, text) }
}
