// SPDX-License-Identifier: Apache-2.0

/// Looks for the launch that gives a known measurement, among all that differ from a supposed one in what people get wrong:
/// the hypervisor, the number and type of processors, the guest's features, what is booted, the firmware.
public struct LaunchSearch: Sendable {
    /// What may have been booted, and in what it is not what is supposed: `initrd old.img, not initrd.img`.
    public struct Boot: Sendable {
        let boot: DirectBoot?
        let differences: [String]

        public init(_ boot: DirectBoot?, differences: [String]) {
            self.boot = boot
            self.differences = differences
        }
    }

    /// A firmware that may have been launched, and in what it is not the supposed one: `firmware old.fd, not OVMF.fd`.
    public struct Base: Sendable {
        let firmware: Firmware
        let differences: [String]

        public init(_ firmware: Firmware, differences: [String]) {
            self.firmware = firmware
            self.differences = differences
        }
    }

    public struct Match: Sendable {
        /// The launch that gives the measurement.
        public let launch: SNPLaunch
        /// In what it is another than the supposed one: `vcpus 8, not 4`. Empty where it is that one.
        public let differences: [String]
    }

    private let supposed: SNPLaunch
    private let bases: [Base]
    private let boots: [Boot]
    private let processors: Int

    /// SEV_FEATURES that hypervisors are known to set: SNP alone or with debug swap, secure TSC, both.
    private static let features: [UInt64] = [0x1, 0x21, 0x201, 0x221]

    /// - Parameters:
    ///   - bases: other firmwares than that of `supposed`.
    ///   - boots: other things that may have been booted than what `supposed` says.
    ///   - processors: up to how many to try, 1 to ``SNPLaunch/maximumProcessors``.
    public init(supposed: SNPLaunch, bases: [Base] = [], boots: [Boot] = [], processors: Int = 512) {
        self.supposed = supposed
        self.bases = [Base(supposed.firmware, differences: [])] + bases
        self.boots = [Boot(supposed.boot, differences: [])] + boots
        self.processors = min(max(supposed.processors, processors, 1), SNPLaunch.maximumProcessors)
    }

    /// How many launches are tried at most.
    public var size: Int {
        bases.count * boots.count * profiles.count * types.count * features.count * processors
    }

    /// The matching launch that differs least; nil where there is none, and so firmware, kernel, initrd or command line must be
    /// other ones. Throws for a firmware whose metadata does not hold together.
    public func match(_ measurement: [UInt8]) throws(MeasurementError) -> Match? {
        var best: Match?
        for base in bases {
            var launch = supposed
            launch.firmware = base.firmware
            launch.firmwareDigest = base.differences.isEmpty ? supposed.firmwareDigest : nil
            launch.firmwareDigest = try Self.firmwareDigest(of: launch)
            _ = try launch.firmware.sections()
            for boot in boots {
                launch.boot = boot.boot
                let given = base.differences + boot.differences
                guard given.count < best?.differences.count ?? .max else { continue }
                for found in matches(measurement, launch) {
                    let match = Match(launch: found, differences: differences(of: found) + given)
                    if match.differences.count < best?.differences.count ?? .max { best = match }
                }
                if best?.differences.isEmpty == true { return best }
            }
        }
        return best
    }

    private var profiles: [VMMProfile] {
        VMMProfile.all.filter { $0.hasSVSM == (supposed.svsm != nil) }
    }

    /// One of each signature, the supposed one first.
    private var types: [VCPUType] {
        var types = [supposed.type]
        for type in VCPUType.all where !types.contains(where: { $0.signature == type.signature }) { types.append(type) }
        return types
    }

    private var features: [UInt64?] {
        guard supposed.svsm == nil else { return [nil] }
        let given = supposed.features ?? supposed.profile.features
        return [given] + Self.features.filter { $0 != given }
    }

    private static func firmwareDigest(of launch: SNPLaunch) throws(MeasurementError) -> [UInt8] {
        var run = SNPLaunchRun(launch: launch)
        try run.addFirmware()
        return run.digest.value
    }

    private static func beforeProcessors(_ launch: SNPLaunch) throws(MeasurementError) -> (SNPLaunchRun, SNPLaunchRun.Entry)
    {
        var launch = launch
        launch.processors = 1
        var run = SNPLaunchRun(launch: launch)
        try run.addFirmware()
        let entry = if let svsm = launch.svsm { try run.add(svsm) } else { try run.addSections() }
        return (run, entry)
    }

    /// With every hypervisor and all processors.
    private func matches(_ measurement: [UInt8], _ launch: SNPLaunch) -> [SNPLaunch] {
        profiles.flatMap { profile in
            var launch = launch
            launch.profile = profile
            // A firmware without a place for the hashes of a kernel was not launched with one.
            guard let run = try? Self.beforeProcessors(launch) else { return [SNPLaunch]() }
            return matches(measurement, launch, run)
        }
    }

    /// Processors are the last that is measured: what is before them is hashed once for all types, features and numbers.
    private func matches(
        _ measurement: [UInt8], _ launch: SNPLaunch, _ before: (run: SNPLaunchRun, entry: SNPLaunchRun.Entry)
    ) -> [SNPLaunch] {
        var found: [SNPLaunch] = []
        let hasOthers = launch.svsm != nil || launch.firmware.resetAddress != nil
        for type in types {
            for features in features {
                var launch = launch
                launch.type = type
                launch.features = features
                var digest = before.run.digest
                let pages = SNPLaunchRun.processorPages(launch, before.entry).map(digest.contentsDigest)
                for count in 1...(hasOthers ? processors : 1) {
                    digest.extend(.vmsa, pages[min(count - 1, 1)], at: LaunchDigest.vmsaAddress)
                    guard digest.value == measurement else { continue }
                    launch.processors = count
                    found.append(launch)
                }
            }
        }
        return found
    }

    private func differences(of launch: SNPLaunch) -> [String] {
        var differences: [String] = []
        func compare(_ name: String, _ found: String, _ given: String) {
            if found != given { differences.append("\(name) \(found), not \(given)") }
        }
        compare("vmm", launch.profile.name, supposed.profile.name)
        compare("vcpus", "\(launch.processors)", "\(supposed.processors)")
        // Of several types with one signature nothing tells which it was.
        if launch.type.signature != supposed.type.signature { compare("vcpu-type", launch.type.name, supposed.type.name) }
        compare("guest-features", launch.featuresInUse, supposed.featuresInUse)
        return differences
    }
}

extension SNPLaunch {
    /// SEV_FEATURES of its processors, in hexadecimal.
    public var featuresInUse: String { "0x\(String(features ?? profile.features, radix: 16))" }
}
