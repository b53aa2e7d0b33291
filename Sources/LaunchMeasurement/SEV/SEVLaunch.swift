// SPDX-License-Identifier: Apache-2.0

/// The launch of an SEV or SEV-ES guest: what the firmware's LAUNCH_MEASURE covers (SEV API, "LAUNCH_UPDATE_DATA" and
/// "LAUNCH_UPDATE_VMSA"): SHA-256 of all that the hypervisor adds, one thing after another.
public struct SEVLaunch: Sendable {
    public var firmware: Firmware
    public var boot: DirectBoot?
    /// Under SEV-ES; under SEV processors are not measured.
    public var processors: Processors?

    public struct Processors: Sendable {
        let count: Int
        let type: VCPUType
        let profile: VMMProfile

        public init(count: Int, type: VCPUType, profile: VMMProfile = .qemu) {
            self.count = count
            self.type = type
            self.profile = profile
        }
    }

    public init(firmware: Firmware, boot: DirectBoot? = nil, processors: Processors? = nil) {
        self.firmware = firmware
        self.boot = boot
        self.processors = processors
    }

    /// 32 bytes.
    public func measurement() throws(MeasurementError) -> [UInt8] { try steps().last?.digest ?? [] }

    /// What is measured, in order; the last digest is the measurement.
    public func steps() throws(MeasurementError) -> [LaunchStep] {
        let hash = RunningDigest(.sha256)
        var steps: [LaunchStep] = []
        func note(_ part: String, _ address: UInt64?, _ size: Int) {
            steps.append(LaunchStep(part: part, address: address, size: size, digest: hash.soFar()))
        }
        try firmware.contents.add(to: hash)
        note("firmware", firmware.address, firmware.size)
        if let boot {
            guard let address = firmware.kernelHashesAddress else {
                throw Firmware.error(
                    "it does not look at the hashes of a kernel: it would start any kernel, so nothing would measure this one"
                )
            }
            hash.add(boot.hashTable)
            note("kernel hashes", UInt64(address), boot.hashTable.count)
        }
        for (processor, page) in try savedStates().enumerated() {
            hash.add(page)
            note("processor \(processor)", nil, page.count)
        }
        return steps
    }

    private func savedStates() throws(MeasurementError) -> [[UInt8]] {
        guard let processors else { return [] }
        guard (1...SNPLaunch.maximumProcessors).contains(processors.count) else {
            throw MeasurementError("vcpus", "\(processors.count) processors, not 1 to \(SNPLaunch.maximumProcessors)")
        }
        guard processors.count == 1 || firmware.resetAddress != nil else {
            throw Firmware.error("it does not say where processors other than the first begin")
        }
        let first = VMSA(start: VMSA.resetVector, profile: processors.profile, type: processors.type, features: 0).page
        let start = firmware.resetAddress ?? VMSA.resetVector
        let other = VMSA(start: start, profile: processors.profile, type: processors.type, features: 0).page
        return [first] + [[UInt8]](repeating: other, count: processors.count - 1)
    }
}
