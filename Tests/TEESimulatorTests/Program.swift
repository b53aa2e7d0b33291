// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A running `cvm-tee-sim`.
final class Program {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private let error = Pipe()

    struct Result {
        let status: Int32
        let output: String
        let error: String
    }

    /// `under`: a program, with its arguments, that runs it.
    init(_ arguments: [String], under wrapper: [String] = []) throws {
        let bundle = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let program = URL(fileURLWithPath: bundle).deletingLastPathComponent().appendingPathComponent("cvm-tee-sim").path
        let command = wrapper + [program] + arguments
        process.executableURL = URL(fileURLWithPath: command[0])
        process.arguments = Array(command.dropFirst())
        process.standardInput = input
        process.standardOutput = output
        process.standardError = error
        try process.run()
    }

    /// Until it has printed something.
    func waitForOutput() throws { _ = output.fileHandleForReading.availableData }

    func terminate() { process.terminate() }

    func finish(input text: String = "") throws -> Result {
        try input.fileHandleForWriting.write(contentsOf: Data(text.utf8))
        try input.fileHandleForWriting.close()
        let said = try output.fileHandleForReading.readToEnd() ?? Data()
        let complained = try error.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return Result(
            status: process.terminationStatus, output: String(decoding: said, as: UTF8.self),
            error: String(decoding: complained, as: UTF8.self))
    }
}
