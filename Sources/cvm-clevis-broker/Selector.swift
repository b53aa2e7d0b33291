// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import PinKit

/// An id or a thumbprint on the command line, or an owner's name.
///
/// In base64url one id in 64 begins with a dash, and the parser would take it for an option. So `marked` puts a byte before it
/// that no argument of a program can hold, and reading it takes that away again.
struct Selector: ExpressibleByArgument {
    private static let mark: Character = "\0"
    /// Of a binding and a PPID, of a thumbprint, of a CHIP_ID.
    private static let lengths = [16, 32, 64]

    let text: String

    init(argument: String) { text = Self.unmarked(argument) }

    /// `argument`, marked where it is an id in base64url that begins with a dash.
    static func marked(_ argument: String) -> String {
        guard argument.first == "-", let bytes = Base64URL.decode(argument), lengths.contains(bytes.count) else {
            return argument
        }
        return String(mark) + argument
    }

    /// `text` without marks, as the parser's messages repeat arguments.
    static func unmarked(_ text: String) -> String { text.filter { $0 != mark } }
}
