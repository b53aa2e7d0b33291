// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// The launch of an SEV-SNP guest: what the MEASUREMENT of its reports will be.
public struct SNPLaunch: Sendable {
    public var firmware: Firmware
    /// What is booted without a boot loader; nil where the firmware finds its own way.
    public var boot: DirectBoot?
    public var profile: VMMProfile = .qemu
    public var processors: Int
    public var type: VCPUType
    /// SEV_FEATURES; nil for the profile's.
    public var features: UInt64?
    /// For a profile that has one.
    public var svsm: SVSM?
    /// The digest after the firmware's pages, 48 bytes, where it is known and they need not be hashed.
    public var firmwareDigest: [UInt8]?

    /// Hypervisors allow fewer.
    public static let maximumProcessors = 4096

    public init(firmware: Firmware, boot: DirectBoot? = nil, processors: Int, type: VCPUType) {
        self.firmware = firmware
        self.boot = boot
        self.processors = processors
        self.type = type
    }

    /// A Secure VM Service Module, which runs below the firmware and stands below it and its variables in memory.
    public struct SVSM: Sendable {
        let image: Firmware
        /// Bytes of the firmware's variables.
        let variablesSize: Int

        /// More than any hypervisor has between the two; real ones have less than 1 MiB.
        static let maximumVariablesSize = 64 << 20

        public init(image: Firmware, variablesSize: Int) {
            self.image = image
            self.variablesSize = variablesSize
        }
    }

    /// 48 bytes.
    public func measurement() throws(MeasurementError) -> [UInt8] { try steps().last?.digest ?? [] }

    /// What is measured, in order; the last digest is the measurement.
    public func steps() throws(MeasurementError) -> [LaunchStep] {
        guard (1...Self.maximumProcessors).contains(processors) else {
            throw MeasurementError("vcpus", "\(processors) processors, not 1 to \(Self.maximumProcessors)")
        }
        guard profile.hasSVSM == (svsm != nil) else {
            throw MeasurementError(
                "svsm",
                profile.hasSVSM
                    ? "profile \(profile.name) wants its image" : "profile \(profile.name) has none: svsm-qemu has")
        }
        guard !profile.hasSVSM || features == nil else {
            throw MeasurementError("guest-features", "an SVSM sets them itself")
        }
        var run = SNPLaunchRun(launch: self)
        try run.addFirmware()
        let entry = if let svsm { try run.add(svsm) } else { try run.addSections() }
        run.addProcessors(startingAt: entry)
        return run.steps
    }
}
