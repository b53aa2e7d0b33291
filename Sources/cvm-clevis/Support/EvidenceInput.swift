// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Attestation
import FileIO
import Glibc
import PinKit

/// What commands read to judge evidence: the evidence, a moment, and whom to believe. Nothing here asks a network.
enum EvidenceInput {
    static func bytes(_ path: String) throws -> [UInt8] {
        let limit = EvidenceFile.maximumSize
        return path == "-" ? try FileIO.read(0, limit: limit, name: "standard input") : try FileIO.read(path, limit: limit)
    }

    static func file(_ path: String) throws -> EvidenceFile { try file(bytes(path), path) }

    static func file(_ bytes: [UInt8], _ path: String) throws -> EvidenceFile {
        do {
            return try EvidenceFile(parsing: bytes)
        } catch {
            throw Failure(
                "\(path): \(error)",
                hint:
                    "known are raw reports and quotes, and evidence in JSON as KBS clients, Azure and 'evidence get' write it"
            )
        }
    }

    private static let maximumDepth = 8

    /// The files below a folder, in the order of their names.
    static func paths(below folder: String, depth: Int = 0) throws -> [String] {
        guard depth < maximumDepth else { throw Failure("\(folder): folders in folders, more than \(maximumDepth) deep") }
        return try FileIO.names(in: folder).sorted().flatMap { name -> [String] in
            let path = "\(folder)/\(name)"
            guard (try? FileIO.names(in: path)) != nil else { return [path] }
            return try paths(below: path, depth: depth + 1)
        }
    }

    /// RFC 3339 in UTC, or a date, which is its midnight.
    static func moment(_ text: String?) throws -> Int64 {
        guard let text else { return Int64(time(nil)) }
        guard let seconds = Timestamp.seconds(text) else {
            throw ValidationError("\(text) is no moment such as 2026-07-01T00:00:00Z")
        }
        return seconds
    }

    static func hex(_ text: String, _ counts: ClosedRange<Int>, _ option: String) throws -> [UInt8] {
        guard let bytes = Hex.decode(text), counts.contains(bytes.count) else {
            let size =
                counts.lowerBound == counts.upperBound
                ? "\(counts.upperBound)" : "\(counts.lowerBound) to \(counts.upperBound)"
            throw ValidationError("\(option) must be \(size) bytes in hexadecimal")
        }
        return bytes
    }
}

/// Options of the commands that judge evidence.
struct JudgingOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Certificates and AMD's revocation lists, for what the evidence lacks: a folder, or a bundle of 'trust export'.",
            valueName: "dir"))
    var certs: String?

    @Option(help: ArgumentHelp("Intel's collateral: its files, or a folder for each set.", valueName: "dir"))
    var collateral: String?

    @Option(help: ArgumentHelp("Judge for this moment, in UTC (default: now).", valueName: "rfc3339"))
    var atTime: String?

    @OptionGroup var anchors: AnchorOptions

    func moment() throws -> Int64 { try EvidenceInput.moment(atTime) }

    func reviewer() throws -> EvidenceReviewer {
        let (shelf, sets) = try (shelf(), sets())
        return EvidenceReviewer(
            snp: try anchors.amd(), tdx: try anchors.intel(), certificates: shelf.certificates,
            collateral: sets + shelf.collateral)
    }

    private typealias Shelf = (certificates: [(name: String, bytes: [UInt8])], collateral: [TDXCollateral])

    /// What `--certs` has. In a folder, what is too large for a certificate or a list is passed over: it may hold other things.
    private func shelf() throws -> Shelf {
        guard let certs else { return ([], []) }
        guard (try? FileIO.names(in: certs)) != nil else {
            let bundle = try TrustFiles.bundle(certs, anchors)
            return (bundle.parts.flatMap(\.files).map { ($0.path, $0.bytes) }, bundle.collateral)
        }
        let files = try EvidenceInput.paths(below: certs).compactMap { path in
            (try? FileIO.read(path, limit: 1 << 20)).map { (name: path, bytes: $0) }
        }
        return (files, [])
    }

    /// The folder itself, and each in it, where there is a set.
    private func sets() throws -> [TDXCollateral] {
        guard let collateral else { return [] }
        let folders = try [collateral] + FileIO.names(in: collateral).sorted().map { "\(collateral)/\($0)" }
        return try folders.filter { FileIO.exists("\($0)/tcb_info.json") }.map { folder in
            try TDXCollateral { name in
                let path = "\(folder)/\(name)"
                return FileIO.exists(path) ? try FileIO.read(path, limit: 2 << 20) : nil
            }
        }
    }
}

/// A policy file, and the reference values that it may need.
struct PolicyInput {
    let policy: GuestPolicy
    let references: ReferenceSet?

    /// `preferringTDX`: see ``GuestPolicy/init(json:at:preferringTDX:)``.
    init(_ path: String, references: String? = nil, owner: String? = nil, preferringTDX: Bool = false) throws {
        do {
            policy = try GuestPolicy(json: Input.json(path), preferringTDX: preferringTDX)
        } catch let error as JSONError {
            throw Failure("\(path) is not a policy: \(error)", hint: "docs/spec/policy.md has the members and an example")
        }
        self.references = try references.map { try SignedSetFile($0).verified(by: owner) }
    }
}

/// A signed set of reference values in a file.
struct SignedSetFile {
    let path: String
    let signed: SignedReferenceSet

    init(_ path: String) throws {
        self.path = path
        let limit = 128 << 10
        let bytes =
            path == "-" ? try FileIO.read(0, limit: limit, name: "standard input") : try FileIO.read(path, limit: limit)
        let text = String(decoding: bytes.filter { ![0x20, 0x09, 0x0a, 0x0d].contains($0) }, as: UTF8.self)
        do {
            signed = try SignedReferenceSet(parsing: text)
        } catch {
            throw Failure("\(path): \(error)", hint: "make one with: cvm-clevis refvalues sign")
        }
    }

    /// What it says, if the owner in the file at `key`, or else the one of this machine, signed it.
    func verified(by key: String?) throws -> ReferenceSet {
        do {
            return try signed.verified(by: owner(key))
        } catch let error as PinError {
            throw Failure("\(path): \(error)")
        }
    }

    private func owner(_ path: String?) throws -> PublicKey {
        guard let path else {
            guard let owner = try Defaults().owner()?.publicKey else {
                throw Failure("whose set is it?", hint: "name the owner's public key with --owner OWNER.jwk")
            }
            return owner
        }
        do {
            return try PublicKey(jwk: Input.json(path))
        } catch let error as JSONError {
            throw Failure("\(path) is not a public key: \(error)")
        }
    }
}
