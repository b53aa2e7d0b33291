// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import HTTPClient
package import PinKit
internal import Synchronization

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
package enum Tool {
    package struct Failure: Error {
        package let command: [String]
        package var status: Int32?
    }

    @discardableResult
    package static func run(_ command: [String], input: String = "") throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        let (stdin, stdout) = try start(process)
        stdin.write(Data(input.utf8))
        try stdin.close()
        let output = stdout.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failure(command: command, status: process.terminationStatus) }
        return String(decoding: output, as: UTF8.self)
    }
}

/// A folder that goes with the test.
package final class Folder: Sendable {
    package let path: String

    package init() throws {
        path = "\(FileManager.default.temporaryDirectory.path)/cvm-tang-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    package func write(_ text: String, to name: String) throws -> String {
        try text.write(toFile: "\(path)/\(name)", atomically: false, encoding: .utf8)
        return "\(path)/\(name)"
    }
}

/// socat on a free port of this machine, which runs a command for every connection. Ends with the value that owns it, or with
/// this process.
package final class Listener: Sendable {
    package let address: String
    private let process: Process
    private let input: FileHandle

    package init(running command: String) throws {
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
            guard !deadline.hasPassed else { throw Tool.Failure(command: ["socat", address]) }
            usleep(10_000)
        }
    }

    package func stop() {
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
            guard isBound else { throw Tool.Failure(command: ["bind"]) }
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
package final class Tangd: Sendable {
    package let keys: Folder
    private let listener: Listener

    package init() throws {
        keys = try Folder()
        try Tool.run(["/usr/libexec/tangd-keygen", keys.path])
        listener = try Listener(running: "/usr/libexec/tangd \(keys.path)")
    }

    /// Without a scheme.
    package var address: String { listener.address }
    package var url: String { "http://\(listener.address)" }

    package func stop() { listener.stop() }

    package func advertisement() throws -> JSON {
        let answer = try HTTPClient().get("\(url)/adv/", before: .after(seconds: 10))
        guard answer.status == 200 else { throw Tool.Failure(command: ["GET", url]) }
        return try JSON(parsing: answer.body)
    }

    /// The thumbprint of the key that signs, as the jose program computes it.
    package func thumbprint(_ hash: String = "S256") throws -> String {
        for name in try FileManager.default.contentsOfDirectory(atPath: keys.path) where !name.hasPrefix(".") {
            let text = try String(contentsOfFile: "\(keys.path)/\(name)", encoding: .utf8)
            guard try JSON(parsing: text)["alg"]?.string?.hasPrefix("ES") == true else { continue }
            return try Tool.run(["jose", "jwk", "thp", "-i", "\(keys.path)/\(name)", "-a", hash])
        }
        throw Tool.Failure(command: ["find a signing key"])
    }

    /// Hides the keys, which are still answered for, and makes new ones.
    package func rotate() throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: keys.path) where !name.hasPrefix(".") {
            try FileManager.default.moveItem(atPath: "\(keys.path)/\(name)", toPath: "\(keys.path)/.\(name)")
        }
        try Tool.run(["/usr/libexec/tangd-keygen", keys.path])
    }

    /// Removes all keys and makes new ones.
    package func forget() throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: keys.path) {
            try FileManager.default.removeItem(atPath: "\(keys.path)/\(name)")
        }
        try Tool.run(["/usr/libexec/tangd-keygen", keys.path])
    }
}
