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

    /// Answers what Intel would at `now`, as a cache of Intel's service has it, from now on.
    func addCollateral(at now: Int64, flaw: SimulatedCollateral.Flaw? = nil) throws {
        let files = Dictionary(
            uniqueKeysWithValues: try SimulatedCollateral(at: now, flaw: flaw).files.map { ($0.name, $0.content) })
        func put(_ path: String, _ body: [UInt8]?, _ header: String? = nil, _ chain: [UInt8]? = nil) throws {
            let url = URL(fileURLWithPath: "\(directory.path)/\(path)")
            try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(body ?? []).write(to: url)
            guard let header, let chain else { return }
            let encoded = String(decoding: chain, as: UTF8.self).addingPercentEncoding(withAllowedCharacters: .alphanumerics)
            try "\(header): \(encoded ?? "")\n".write(toFile: url.path + ".headers", atomically: false, encoding: .utf8)
        }
        let (tdx, sgx) = ("tdx/certification/v4", "sgx/certification/v4")
        try put("\(tdx)/tcb", files["tcb_info.json"], "TCB-Info-Issuer-Chain", files["tcb_info_issuer_chain.pem"])
        try put(
            "\(tdx)/qe/identity", files["qe_identity.json"], "SGX-Enclave-Identity-Issuer-Chain",
            files["qe_identity_issuer_chain.pem"])
        try put("\(sgx)/pckcrl", files["pck_crl.der"], "SGX-PCK-CRL-Issuer-Chain", files["pck_crl_issuer_chain.pem"])
        try put("\(sgx)/rootcacrl", Array(Hex.encode(files["root_ca_crl.der"] ?? []).utf8))
    }

    /// Has AMD's revocation list of Genoa from now on.
    func add(revocationList list: [UInt8]) throws {
        let folder = "\(directory.path)/vcek/v1/Genoa"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Data(list).write(to: URL(fileURLWithPath: folder + "/crl"))
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
