// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FileIO
import Glibc

enum Console {
    /// Help on standard output with status 0, what is wrong on standard error with 1, wrong usage with 2.
    static func exit(reporting error: any Error) -> Never {
        let text = TEESim.fullMessage(for: error)
        switch TEESim.exitCode(for: error) {
        case .success: finish(1, text, status: 0)
        case .failure: finish(2, "cvm-tee-sim: error: \(error)", status: 1)
        default: finish(2, "cvm-tee-sim: error: \(text.dropFirst(text.hasPrefix("Error: ") ? 7 : 0))", status: 2)
        }
    }

    private static func finish(_ descriptor: Int32, _ text: String, status: Int32) -> Never {
        try? FileIO.write(descriptor, "\(text)\n")
        Glibc.exit(status)
    }
}
