// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FileIO
import Glibc
import LUKS
import PinKit
import TEE

/// A failure told to a person: what happened, and what to do next where there is something to do.
struct Failure: Error {
    let message: String
    var hint: String?
    /// The exit status: 2 where clevis, too, takes a failure for wrong usage.
    var status: Int32 = 1

    init(_ message: String, hint: String? = nil, status: Int32 = 1) {
        self.message = message
        self.hint = hint
        self.status = status
    }
}

/// Standard output carries answers only; everything said to a person goes to standard error.
enum Console {
    static func say(_ text: String) { print(text, to: 2) }
    static func answer(_ text: String) { print(text, to: 1) }
    static func warn(_ text: String) { say("cvm-clevis: warning: \(text)") }
    static func hint(_ text: String) { say("cvm-clevis: hint: \(text)") }

    /// Prints what `error` has to say, and gives the exit status: 0 for help, 1 for a failure, 2 for wrong usage.
    static func report(_ error: any Error) -> Int32 {
        // Everything was said already.
        if let code = error as? ExitCode { return code.rawValue }
        if let failure = error as? Failure {
            say("cvm-clevis: error: \(failure.message)")
            if let failureHint = failure.hint { hint(failureHint) }
            return failure.status
        }
        guard isUsage(error) else {
            say("cvm-clevis: error: \(error)")
            return 1
        }
        let text = CVMClevis.fullMessage(for: error)
        let isHelp = CVMClevis.exitCode(for: error).isSuccess
        if isHelp { answer(text) } else { say(text.replacingPrefix("Error: ", with: "cvm-clevis: error: ")) }
        return isHelp ? 0 : 2
    }

    /// Whether ArgumentParser made this error: it alone knows the usage to print.
    private static func isUsage(_ error: any Error) -> Bool {
        !(error is PinError || error is JSONError || error is FileError || error is LUKSError || error is EvidenceError)
            && CVMClevis.exitCode(for: error) != .failure
    }

    private static func print(_ text: String, to descriptor: Int32) {
        try? FileIO.write(descriptor, "\(text)\n")
    }
}

extension String {
    func replacingPrefix(_ prefix: String, with other: String) -> String {
        hasPrefix(prefix) ? other + dropFirst(prefix.count) : self
    }
}
