// SPDX-License-Identifier: Apache-2.0
import FileIO
import Glibc
import PinKit

/// The person at this process' terminal, wherever its standard input comes from.
enum Terminal {
    /// Whether the answer to `question` is y or yes; nil where there is no terminal.
    static func confirms(_ question: String) -> Bool? {
        let terminal = unsafe open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)
        guard terminal >= 0 else { return nil }
        defer { close(terminal) }
        do {
            try FileIO.write(terminal, question, name: "terminal")
            let answer = try FileIO.readSecret(terminal, limit: 64, line: true, name: "terminal")
            return ["y", "Y", "yes"].contains { answer.equals(SecretBytes(copyingPublic: Array($0.utf8))) }
        } catch {
            return nil
        }
    }
}
