// SPDX-License-Identifier: Apache-2.0
import FileIO

/// One line to standard error, which in an initrd is console and journal; nobody is there to whom a failure to write could
/// be told.
enum Console {
    static func say(_ line: String) { try? FileIO.write(2, "cvm-clevis-unlock: \(line)\n") }
    static func answer(_ text: String) { try? FileIO.write(1, text) }
}
