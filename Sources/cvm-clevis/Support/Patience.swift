// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import PinKit

/// How long pins are waited for. They are all asked at once, so this is the time of each and of the whole.
struct Patience: ParsableArguments {
    /// Seconds.
    static let standard = 10

    @Option(help: "Give up after this many seconds; all pins are asked at once.")
    var timeout = Patience.standard

    func validate() throws { try Patience.require(timeout) }

    static func require(_ timeout: Int) throws {
        guard (1...86_400).contains(timeout) else { throw ValidationError("--timeout must be from 1 to 86400 seconds") }
    }

    /// From now on.
    var deadline: Deadline { .after(seconds: timeout) }
}
