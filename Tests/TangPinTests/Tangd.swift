// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import PinKit
import Synchronization
import Testing

/// Starts a process with pipes that no other child inherits: that one would keep them open.
private func start(_ process: Process) throws -> (input: FileHandle, output: FileHandle) {
    try spawning.withLock { _ in
        let (input, output) = (Pipe(), Pipe())
        for handle in [input, output].flatMap({ [$0.fileHandleForReading, $0.fileHandleForWriting] }) {
            _ = fcntl(handle.fileDescriptor, F_SETFD, FD_CLOEXEC)
        }
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        return (input.fileHandleForWriting, output.fileHandleForReading)
    }
}

private let spawning = Mutex(())

/// A program of the system, run to its end.
enum Tool {
    struct Failure: Error { let command: [String] }

    @discardableResult
    static func run(_ command: [String], input: String = "") throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        let (stdin, stdout) = try start(process)
        stdin.write(Data(input.utf8))
        try stdin.close()
        let output = stdout.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failure(command: command) }
        return String(decoding: output, as: UTF8.self)
    }
}

/// A folder that goes with the test.
final class Folder: Sendable {
    let path: String

    init() throws {
        path = "\(FileManager.default.temporaryDirectory.path)/cvm-tang-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ text: String, to name: String) throws -> String {
        try text.write(toFile: "\(path)/\(name)", atomically: false, encoding: .utf8)
        return "\(path)/\(name)"
    }
}

/// socat on a free port of this machine, which runs a command for every connection. Ends with the value that owns it, or with
/// this process.
final class Listener: Sendable {
    let address: String
    private let process: Process
    private let input: FileHandle

    init(running command: String) throws {
        let port = try Listener.freePort()
        address = "127.0.0.1:\(port)"
        process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        // The shell waits for the end of its input, which this process holds. KILL: the threads that tests run on block
        // TERM, and children inherit that.
        process.arguments = [
            "-c", #"socat "$@" & read line; kill -KILL $!"#, "sh", "TCP-LISTEN:\(port),bind=127.0.0.1,fork,reuseaddr",
            "SYSTEM:\(command)",
        ]
        (input, _) = try start(process)
        let deadline = Deadline.after(seconds: 10)
        while !Listener.answers(port) {
            try #require(!deadline.hasPassed, "socat does not listen")
            usleep(10_000)
        }
    }

    func stop() {
        try? input.close()
        process.waitUntilExit()
    }

    deinit { stop() }

    private static func freePort() throws -> UInt16 {
        try withSocket { descriptor, address in
            var address = address
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let isBound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                    unsafe bind(descriptor, pointer, length) == 0 && getsockname(descriptor, pointer, &length) == 0
                }
            }
            try #require(isBound)
            return UInt16(bigEndian: address.sin_port)
        }
    }

    private static func answers(_ port: UInt16) -> Bool {
        withSocket { descriptor, address in
            var address = address
            address.sin_port = port.bigEndian
            return unsafe withUnsafePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                }
            }
        }
    }

    private static func withSocket<R>(_ body: (Int32, sockaddr_in) throws -> R) rethrows -> R {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        return try body(descriptor, address)
    }
}

/// Debian's tangd with keys of its own.
final class Tangd: Sendable {
    let keys: Folder
    private let listener: Listener

    init() throws {
        keys = try Folder()
        try Tool.run(["/usr/libexec/tangd-keygen", keys.path])
        listener = try Listener(running: "/usr/libexec/tangd \(keys.path)")
    }

    /// Without a scheme.
    var address: String { listener.address }
    var url: String { "http://\(listener.address)" }

    func stop() { listener.stop() }

    func advertisement() throws -> JSON {
        let answer = try HTTPClient().get("\(url)/adv/", before: .after(seconds: 10))
        try #require(answer.status == 200)
        return try JSON(parsing: answer.body)
    }

    /// The thumbprint of the key that signs, as the jose program computes it.
    func thumbprint(_ hash: String = "S256") throws -> String {
        for name in try FileManager.default.contentsOfDirectory(atPath: keys.path) where !name.hasPrefix(".") {
            let text = try String(contentsOfFile: "\(keys.path)/\(name)", encoding: .utf8)
            guard try JSON(parsing: text)["alg"]?.string?.hasPrefix("ES") == true else { continue }
            return try Tool.run(["jose", "jwk", "thp", "-i", "\(keys.path)/\(name)", "-a", hash])
        }
        throw Tool.Failure(command: ["find a signing key"])
    }

    /// Hides the keys, which are still answered for, and makes new ones.
    func rotate() throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: keys.path) where !name.hasPrefix(".") {
            try FileManager.default.moveItem(atPath: "\(keys.path)/\(name)", toPath: "\(keys.path)/.\(name)")
        }
        try Tool.run(["/usr/libexec/tangd-keygen", keys.path])
    }

    /// Removes all keys and makes new ones.
    func forget() throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: keys.path) {
            try FileManager.default.removeItem(atPath: "\(keys.path)/\(name)")
        }
        try Tool.run(["/usr/libexec/tangd-keygen", keys.path])
    }
}
