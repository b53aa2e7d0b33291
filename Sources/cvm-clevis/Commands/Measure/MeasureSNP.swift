// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FileIO
import LaunchMeasurement
import PinKit

struct MeasureSNP: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snp", abstract: "The measurement of an SEV-SNP guest: 48 bytes in hexadecimal.",
        discussion: """
            Example:
              cvm-clevis measure snp --firmware OVMF.fd --vcpus 4 --vcpu-type EPYC-v4 --explain
            """)

    @OptionGroup var launch: LaunchOptions
    @OptionGroup var processors: ProcessorOptions

    @Option(help: "SEV_FEATURES of the guest, such as 0x21 with debug swap; the profile has a default.")
    var guestFeatures: String?

    @Option(help: "The digest after the firmware's pages, where it is known: they are not hashed then.")
    var firmwareDigest: String?

    @Option(help: "An SVSM's image, for a profile that has one.")
    var svsm: String?

    @Option(help: "Bytes of the firmware's variables, below which an SVSM stands.")
    var variablesSize: Int?

    @OptionGroup var set: SetOptions

    @Flag(help: "Print each thing that is measured, with the digest after it.")
    var explain = false

    @Flag(help: "Answer with JSON.")
    var json = false

    func run() throws {
        var launch = SNPLaunch(
            firmware: try self.launch.image(), boot: try self.launch.boot(), processors: processors.vcpus,
            type: try processors.type())
        if !launch.firmware.hasSEVMetadata {
            Console.warn("\(self.launch.firmware) has no SEV metadata: QEMU does not launch it under SEV-SNP")
        }
        launch.profile = try processors.profile()
        launch.features = try guestFeatures.map(Self.features)
        launch.firmwareDigest = try firmwareDigest.map(Self.digest)
        launch.svsm = try module()
        let steps = try launch.steps()
        guard let measurement = steps.last?.digest else { return }
        if let set = try set.answer([("measurement", measurement)], of: "snp", covers: self.launch.covers) {
            return Console.answer(set.canonical)
        }
        if json { return Console.answer(answer(measurement, steps, launch.profile).canonical) }
        if explain { steps.forEach { Console.say($0.line) } }
        Console.answer(Hex.encode(measurement))
    }

    private func answer(_ measurement: [UInt8], _ steps: [LaunchStep], _ profile: VMMProfile) -> JSON {
        var object: JSONObject = [
            "covers": .array(launch.covers.map { .string($0) }), "measurement": .string(Hex.encode(measurement)),
            "profile": .string(profile.name), "tee": "snp",
        ]
        if explain { object["steps"] = .array(steps.map(\.json)) }
        return .object(object)
    }

    private func module() throws -> SNPLaunch.SVSM? {
        guard let svsm else { return nil }
        guard let variablesSize else { throw ValidationError("--svsm needs --variables-size") }
        let image = try Firmware(path: svsm)
        return SNPLaunch.SVSM(image: image, variablesSize: variablesSize)
    }

    private static func features(_ text: String) throws -> UInt64 {
        guard text.hasPrefix("0x"), let features = UInt64(text.dropFirst(2), radix: 16) else {
            throw ValidationError("--guest-features takes hexadecimal such as 0x1, not \(text)")
        }
        return features
    }

    private static func digest(_ text: String) throws -> [UInt8] {
        guard let digest = Hex.decode(text), digest.count == 48 else {
            throw ValidationError("--firmware-digest takes 96 hexadecimal digits")
        }
        return digest
    }
}

extension LaunchOptions {
    /// What the measurement vouches for, in a policy's words.
    var covers: [String] { kernel == nil && uki == nil ? ["firmware"] : ["firmware", "kernel", "initrd", "cmdline"] }
}

extension LaunchStep {
    fileprivate var line: String { "\(Hex.encode(digest)) 0x\(String(address, radix: 16)) \(size) \(part)" }

    fileprivate var json: JSON {
        [
            "address": .string("0x\(String(address, radix: 16))"), "digest": .string(Hex.encode(digest)),
            "part": .string(part), "size": .integer(Int64(size)),
        ]
    }
}
