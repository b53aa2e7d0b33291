// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Attestation
import FileIO
import Glibc
import PinKit
import TEE

struct Trust: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Whom evidence is believed on: the anchors in this program, and bundles for sites without a network.",
        discussion: """
            A bundle is one file with what vendors publish: revocation lists, certificates of platforms' keys, sets of collateral. Every
            part is verified as it is read. A set of collateral is a folder with the files tcb_info.json, qe_identity.json and so on. Where to get them is in docs/spec/trust-bundle.md.

            Example:
              cvm-clevis trust export --from downloads --output trust.json
              cvm-clevis trust import trust.json --to /var/lib/cvm-clevis/trust
            """,
        subcommands: [Export.self, Import.self, Show.self])

    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Put files of vendors into a bundle.")

        @Option(name: .customLong("from"), help: "A file, or a folder of files; may be given again.")
        var sources: [String] = []

        @Option(name: .shortAndLong, help: "The bundle to write.")
        var output: String

        @OptionGroup var anchors: AnchorOptions

        func validate() throws {
            guard !sources.isEmpty else { throw ValidationError("--from is missing") }
        }

        func run() throws {
            var bundle = try anchors.bundle()
            for source in sources { try TrustFiles.add(source, to: &bundle) }
            guard !bundle.parts.isEmpty else { throw Failure("nothing to put into a bundle") }
            try FileIO.replace(output, Array("\(bundle.json.canonical)\n".utf8))
            Console.say("\(output): \(bundle.parts.count) parts")
        }
    }

    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Unpack a bundle into a folder, once every part is verified.")

        @Argument(help: "The bundle.")
        var bundle: String

        @Option(name: .customLong("to"), help: "The folder; made where it does not exist. Other files in it stay.")
        var folder: String

        @OptionGroup var anchors: AnchorOptions

        func run() throws {
            let bundle = try TrustFiles.bundle(bundle, anchors)
            for file in bundle.parts.flatMap(\.files) {
                let path = "\(folder)/\(file.path)"
                if let slash = path.lastIndex(of: "/") { try FileIO.makeDirectory(String(path[..<slash])) }
                try FileIO.replace(path, file.bytes)
            }
            Console.say("\(folder): \(bundle.parts.count) parts")
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the anchors, or what a bundle or a folder holds and until when it is good.")

        @Argument(help: "A bundle, or a folder (default: the anchors).")
        var source: String?

        @Option(help: "Say what is out of date at this time instead of now (RFC 3339, UTC).")
        var atTime: String?

        @OptionGroup var anchors: AnchorOptions

        func validate() throws {
            guard atTime == nil || atTime.flatMap(Timestamp.seconds) != nil else {
                throw ValidationError("--at-time must be like 2026-07-01T00:00:00Z")
            }
        }

        func run() throws {
            guard let source else { return try anchors.show() }
            let now = atTime.flatMap(Timestamp.seconds) ?? Int64(time(nil))
            for part in try TrustFiles.any(source, anchors).parts {
                let simulated = part.isSimulated ? " (SIMULATED)" : ""
                let standing = part.isValid(at: now) ? "" : part.validUntil < now ? ", expired" : ", not good at that time"
                Console.answer("\(part.title)\(simulated): until \(Timestamp.text(part.validUntil))\(standing)")
            }
        }
    }
}

struct AnchorOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "DANGER: also believe this simulator (cvm-tee-sim trust). For trying things out.", valueName: "dir"))
    var trustSimulator: String?

    private static let limit = 64 << 10

    func bundle() throws -> TrustBundle { TrustBundle(anchors: try amd(), tdxAnchors: try intel()) }

    func bundle(parsing text: [UInt8]) throws -> TrustBundle {
        try TrustBundle(parsing: text, anchors: amd(), tdxAnchors: intel())
    }

    func show() throws {
        for anchor in try amd().descriptions + intel().descriptions { Console.answer(anchor) }
    }

    func amd() throws -> TrustAnchors {
        guard let folder = trustSimulator else { return .amd }
        return try TrustAnchors.amd.addingSimulated(
            ark: FileIO.read("\(folder)/ark.pem", limit: Self.limit),
            ask: FileIO.read("\(folder)/ask.pem", limit: Self.limit),
            asvk: optional("\(folder)/asvk.pem"))
    }

    func intel() throws -> TDXTrustAnchors {
        guard let folder = trustSimulator, let root = try optional("\(folder)/intel-root.pem") else { return .intel }
        return try TDXTrustAnchors.intel.addingSimulated(root: root)
    }

    private func optional(_ path: String) throws -> [UInt8]? {
        FileIO.exists(path) ? try FileIO.read(path, limit: Self.limit) : nil
    }
}

/// Bundles and their parts as files.
enum TrustFiles {
    private static let maximumDepth = 8

    /// A bundle, or a folder as `import` makes it.
    static func any(_ path: String, _ anchors: AnchorOptions) throws -> TrustBundle {
        guard (try? FileIO.names(in: path)) != nil else { return try bundle(path, anchors) }
        var bundle = try anchors.bundle()
        try add(path, to: &bundle)
        return bundle
    }

    static func bundle(_ path: String, _ anchors: AnchorOptions) throws -> TrustBundle {
        try naming(path) { try anchors.bundle(parsing: FileIO.read(path, limit: TrustBundle.maximumSize)) }
    }

    /// Takes up the file at `path`, or everything below the folder.
    static func add(_ path: String, to bundle: inout TrustBundle, depth: Int = 0) throws {
        guard let names = try? FileIO.names(in: path) else {
            return try naming(path) { try bundle.add(FileIO.read(path, limit: TrustBundle.maximumSize)) }
        }
        guard depth < maximumDepth else { throw Failure("\(path): folders in folders, more than \(maximumDepth) deep") }
        if names.contains(TDXCollateral.Part.tcbInfo.rawValue) {
            return try naming(path) { try bundle.add(collateral(path)) }
        }
        for name in names.sorted() { try add("\(path)/\(name)", to: &bundle, depth: depth + 1) }
    }

    private static func collateral(_ folder: String) throws -> TDXCollateral {
        try TDXCollateral { (name) throws in
            let path = "\(folder)/\(name)"
            return FileIO.exists(path) ? try FileIO.read(path, limit: TrustBundle.maximumSize) : nil
        }
    }

    private static func naming<Value>(_ path: String, _ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let error as EvidenceError {
            throw Failure("\(path): \(error)")
        }
    }
}
