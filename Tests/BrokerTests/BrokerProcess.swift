// SPDX-License-Identifier: Apache-2.0
import Foundation

/// The shipped program, run as an operator runs it.
struct BrokerProcess {
    struct Output: Sendable {
        let status: Int32
        let output: String
        let errors: String
    }

    /// `cvm-clevis-broker` as it was built beside these tests.
    static var executable: String { get throws { try program("cvm-clevis-broker") } }

    /// A program of the package as it was built beside these tests.
    static func program(_ name: String) throws -> String {
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return URL(fileURLWithPath: tests).deletingLastPathComponent().appendingPathComponent(name).path
    }

    /// Runs it to its end.
    static func run(_ arguments: [String], input: String = "") throws -> Output {
        try run(executable, arguments, input: input)
    }

    static func run(_ program: String, _ arguments: [String], input: String = "") throws -> Output {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        let files = try TemporaryDirectory()
        let paths = ["input", "output", "errors"].map { URL(fileURLWithPath: "\(files.path)/\($0)") }
        try input.write(to: paths[0], atomically: false, encoding: .utf8)
        for path in paths[1...] { try Data().write(to: path) }
        process.standardInput = try FileHandle(forReadingFrom: paths[0])
        process.standardOutput = try FileHandle(forWritingTo: paths[1])
        process.standardError = try FileHandle(forWritingTo: paths[2])
        try process.run()
        process.waitUntilExit()
        return Output(
            status: process.terminationStatus, output: try String(contentsOf: paths[1], encoding: .utf8),
            errors: try String(contentsOf: paths[2], encoding: .utf8))
    }
}

/// A broker that serves while a test runs; ended by SIGTERM.
final class ServingBroker {
    private let process = Process()
    private let output = Pipe()
    private let log: URL
    let url: String

    /// Starts it on a port of the system's choice and waits for the line that says where it listens.
    init(directory: String, _ options: [String] = []) throws {
        log = URL(fileURLWithPath: directory + ".log")
        try Data().write(to: log)
        process.executableURL = URL(fileURLWithPath: try BrokerProcess.executable)
        process.arguments =
            ["serve", directory, "--listen", "127.0.0.1:0", "--amd-kds", "off", "--intel-pcs", "off"] + options
        process.standardOutput = output
        process.standardError = try FileHandle(forWritingTo: log)
        try process.run()
        let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        guard line.hasPrefix("listening on "), line.hasSuffix("\n") else {
            throw Missing(what: "the listening line; standard error: \(try String(contentsOf: log, encoding: .utf8))")
        }
        url = String(line.dropFirst("listening on ".count).dropLast())
    }

    deinit { if process.isRunning { process.terminate() } }

    /// What it wrote to standard error so far.
    func logged() throws -> String { try String(contentsOf: log, encoding: .utf8) }

    /// Sends SIGTERM and does not wait.
    func terminate() { process.terminate() }

    /// Ends it without a warning.
    func kill(after seconds: Double) {
        let number = process.processIdentifier
        DispatchQueue.global().asyncAfter(deadline: .now() + seconds) { Foundation.kill(number, SIGKILL) }
    }

    /// Sends SIGTERM and returns the exit status.
    func stop() -> Int32 {
        process.terminate()
        process.waitUntilExit()
        return process.terminationStatus
    }
}
