// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import LaunchMeasurement
import PinKit

struct MeasureSEV: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sev", abstract: "The launch digest of an SEV guest: 32 bytes in hexadecimal.",
        discussion: """
            Example:
              cvm-clevis measure sev --firmware OVMF.fd --kernel vmlinuz --initrd initrd.img --append 'root=/dev/vda'
            """)

    @OptionGroup var launch: LaunchOptions

    @OptionGroup var form: AnswerOptions

    func run() throws {
        let launch = SEVLaunch(firmware: try self.launch.image(), boot: try self.launch.boot())
        try self.launch.answer(launch, tee: "sev", form)
    }
}

struct MeasureSEVES: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "seves", abstract: "The launch digest of an SEV-ES guest: 32 bytes in hexadecimal.",
        discussion: """
            Example:
              cvm-clevis measure seves --firmware OVMF.fd --vcpus 4 --vcpu-type EPYC-v4
            """)

    @OptionGroup var launch: LaunchOptions
    @OptionGroup var processors: ProcessorOptions

    @OptionGroup var form: AnswerOptions

    func run() throws {
        let processors = SEVLaunch.Processors(
            count: processors.vcpus, type: try processors.type(), profile: try processors.profile())
        let launch = SEVLaunch(firmware: try self.launch.image(), boot: try self.launch.boot(), processors: processors)
        try self.launch.answer(launch, tee: "seves", form)
    }
}

extension LaunchOptions {
    fileprivate func answer(_ launch: SEVLaunch, tee: String, _ form: AnswerOptions) throws {
        let steps = (launch.boot?.steps ?? []) + (try launch.steps())
        let digest = Hex.encode(steps.last?.digest ?? [])
        form.answer(
            digest, steps,
            ["covers": .array(covers.map { .string($0) }), "measurement": .string(digest), "tee": .string(tee)])
    }
}
