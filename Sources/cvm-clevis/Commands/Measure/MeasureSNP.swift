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
              cvm-clevis measure snp --firmware OVMF.fd --vcpus 4 --vmm svsm-qemu --svsm svsm.bin --variables-size 540672
            """)

    @OptionGroup var launch: LaunchOptions
    @OptionGroup var processors: ProcessorOptions

    @Option(help: "SEV_FEATURES of the guest, such as 0x21 with debug swap; the profile has a default.")
    var guestFeatures: GuestFeatures?

    @Option(help: "The digest after the firmware's pages, where it is known: they are not hashed then.")
    var firmwareDigest: String?

    @OptionGroup var module: ModuleOptions

    @OptionGroup var set: SetOptions

    @OptionGroup var form: AnswerOptions

    func run() throws {
        var launch = SNPLaunch(
            firmware: try self.launch.image(), boot: try self.launch.boot(), processors: processors.vcpus,
            type: try processors.type())
        if !launch.firmware.hasSEVMetadata {
            Console.warn("\(self.launch.firmware) has no SEV metadata: QEMU does not launch it under SEV-SNP")
        }
        launch.profile = try processors.profile()
        launch.features = guestFeatures?.value
        launch.firmwareDigest = try firmwareDigest.map(Self.digest)
        launch.svsm = try module.image()
        let steps = (launch.boot?.steps ?? []) + (try launch.steps())
        guard let measurement = steps.last?.digest else { return }
        if let set = try set.answer([("measurement", measurement)], of: "snp", covers: self.launch.covers) {
            return Console.answer(set.canonical)
        }
        form.answer(
            Hex.encode(measurement), steps,
            [
                "covers": .array(self.launch.covers.map { .string($0) }), "measurement": .string(Hex.encode(measurement)),
                "profile": .string(launch.profile.name), "tee": "snp",
            ])
    }

    private static func digest(_ text: String) throws -> [UInt8] {
        guard let digest = Hex.decode(text), digest.count == 48 else {
            throw ValidationError("--firmware-digest takes 96 hexadecimal digits")
        }
        return digest
    }
}

/// A Secure VM Service Module below the firmware.
struct ModuleOptions: ParsableArguments {
    @Option(help: "An SVSM's image, for a profile that has one.")
    var svsm: String?

    @Option(help: "Bytes of the firmware's variables, below which an SVSM stands.")
    var variablesSize: Int?

    func validate() throws {
        guard (svsm == nil) == (variablesSize == nil) else {
            throw ValidationError("--svsm and --variables-size go together")
        }
    }

    func image() throws -> SNPLaunch.SVSM? {
        guard let svsm, let variablesSize else { return nil }
        return SNPLaunch.SVSM(image: try Firmware(path: svsm), variablesSize: variablesSize)
    }
}

/// SEV_FEATURES in hexadecimal.
struct GuestFeatures: ExpressibleByArgument {
    let value: UInt64

    init?(argument: String) {
        guard argument.hasPrefix("0x"), let value = UInt64(argument.dropFirst(2), radix: 16) else { return nil }
        self.value = value
    }
}

extension LaunchOptions {
    /// What the measurement vouches for, in a policy's words.
    var covers: [String] { kernel == nil && uki == nil ? ["firmware"] : ["firmware", "kernel", "initrd", "cmdline"] }
}
