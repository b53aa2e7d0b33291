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
            A bundle is one file with what vendors publish: revocation lists and the certificates of platforms' keys. Every part is
            verified as it is read. Where to get them is in docs/spec/trust-bundle.md.

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
            var bundle = TrustBundle(anchors: try anchors.anchors())
            for source in sources {
                for path in try TrustFiles.paths(below: source) { try TrustFiles.add(path, to: &bundle) }
            }
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
            let bundle = try TrustFiles.bundle(bundle, anchors.anchors())
            for part in bundle.parts {
                let path = "\(folder)/\(part.name)"
                if let slash = path.lastIndex(of: "/") { try FileIO.makeDirectory(String(path[..<slash])) }
                try FileIO.replace(path, part.bytes)
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
            let anchors = try anchors.anchors()
            guard let source else {
                for anchor in anchors.descriptions { Console.answer(anchor) }
                return
            }
            let now = atTime.flatMap(Timestamp.seconds) ?? Int64(time(nil))
            for part in try TrustFiles.any(source, anchors).parts {
                let standing =
                    part.validity.contains(now) ? "" : part.validity.lowerBound > now ? ", not yet good" : ", expired"
                let simulated = part.isSimulated ? " (SIMULATED)" : ""
                Console.answer("\(part.title)\(simulated): until \(Timestamp.text(part.validity.upperBound))\(standing)")
            }
        }
    }
}

struct AnchorOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "DANGER: also believe this simulator (cvm-tee-sim trust). For trying things out.", valueName: "dir"))
    var trustSimulator: String?

    func anchors() throws -> TrustAnchors {
        guard let folder = trustSimulator else { return .amd }
        let limit = 64 << 10
        let asvk = "\(folder)/asvk.pem"
        return try TrustAnchors.amd.addingSimulated(
            ark: FileIO.read("\(folder)/ark.pem", limit: limit), ask: FileIO.read("\(folder)/ask.pem", limit: limit),
            asvk: FileIO.exists(asvk) ? FileIO.read(asvk, limit: limit) : nil)
    }
}

/// Bundles and their parts as files.
private enum TrustFiles {
    private static let maximumDepth = 8

    /// A bundle, or a folder as `import` makes it.
    static func any(_ path: String, _ anchors: TrustAnchors) throws -> TrustBundle {
        guard (try? FileIO.names(in: path)) != nil else { return try bundle(path, anchors) }
        var bundle = TrustBundle(anchors: anchors)
        for path in try paths(below: path) { try add(path, to: &bundle) }
        return bundle
    }

    static func bundle(_ path: String, _ anchors: TrustAnchors) throws -> TrustBundle {
        do {
            return try TrustBundle(parsing: FileIO.read(path, limit: TrustBundle.maximumSize), anchors: anchors)
        } catch let error as EvidenceError {
            throw Failure("\(path): \(error)")
        }
    }

    static func add(_ path: String, to bundle: inout TrustBundle) throws {
        do {
            try bundle.add(FileIO.read(path, limit: TrustBundle.maximumSize))
        } catch let error as EvidenceError {
            throw Failure("\(path): \(error)")
        }
    }

    /// The files below `path`, in the order of their names; `path` itself where it is one.
    static func paths(below path: String, depth: Int = 0) throws -> [String] {
        guard let names = try? FileIO.names(in: path) else { return [path] }
        guard depth < maximumDepth else { throw Failure("\(path): folders in folders, more than \(maximumDepth) deep") }
        return try names.sorted().flatMap { try paths(below: "\(path)/\($0)", depth: depth + 1) }
    }
}
