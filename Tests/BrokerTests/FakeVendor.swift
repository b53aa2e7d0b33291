// SPDX-License-Identifier: Apache-2.0
import Foundation
import PinKit
import TEE
import TEESimulator

/// A key service on this machine, which has the VCEKs of the simulated chips it is told of and counts requests.
final class FakeVendor {
    private let directory: TemporaryDirectory
    private let process = Process()
    private let life = Pipe()
    let url: String

    init() throws {
        directory = try TemporaryDirectory()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("vendor.py").path
        process.arguments = ["python3", script, directory.path]
        process.standardOutput = output
        // It ends with whoever holds the other end, and keeps nobody's output open who waits for ours to end.
        process.standardInput = life
        process.standardError = FileHandle.nullDevice
        try process.run()
        // A line may come in pieces.
        var line = ""
        while !line.hasSuffix("\n") {
            let piece = output.fileHandleForReading.availableData
            if piece.isEmpty { break }
            line += String(decoding: piece, as: UTF8.self)
        }
        guard line.hasSuffix("\n"), let port = UInt16(line.dropLast()) else {
            throw Missing(what: "the vendor's port: \(line)")
        }
        url = "http://127.0.0.1:\(port)"
    }

    deinit { process.terminate() }

    /// Paths that were asked for, in order.
    func asked() throws -> [String] {
        guard let text = try? String(contentsOfFile: directory.path + "/asked", encoding: .utf8) else { return [] }
        return text.split(separator: "\n").map(String.init)
    }

    /// Has the VCEK of `chip` from now on, under that chip's id or another one.
    func add(_ chip: SimulatedSNP, product: String = "Genoa", as id: [UInt8]? = nil) throws {
        let folder = "\(directory.path)/vcek/v1/\(product)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Data(chip.endorsementDER).write(to: URL(fileURLWithPath: "\(folder)/\(Hex.encode(id ?? chip.settings.chip))"))
    }

    /// `busy`, `lying`: see vendor.py.
    func set(_ mood: String, _ isOn: Bool) throws {
        let path = "\(directory.path)/\(mood)"
        if isOn {
            try Data().write(to: URL(fileURLWithPath: path))
        } else {
            try FileManager.default.removeItem(atPath: path)
        }
    }
}

extension SimulatedSNP {
    /// One of many chips that differ in their ids.
    static func numbered(_ number: Int, version: UInt32 = 3) throws -> SimulatedSNP {
        var settings = SNPSettings()
        settings.chip = Digest.sha512(Array("chip \(number)".utf8))
        settings.version = version
        return try SimulatedSNP(settings)
    }

    /// A report over nothing in particular.
    func anyReport() throws -> SNPReport { try SNPReport(parsing: report(for: [UInt8](repeating: 7, count: 64))) }
}
