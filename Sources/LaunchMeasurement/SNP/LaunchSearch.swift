// SPDX-License-Identifier: Apache-2.0

/// Looks for the launch that gives a known measurement, among all that differ from a supposed one in what people get wrong:
/// the hypervisor, the number and type of processors, the guest's features, what is booted.
public struct LaunchSearch: Sendable {
    /// What may have been booted, and how to say so.
    public struct Boot: Sendable {
        public let name: String
        public let boot: DirectBoot?

        public init(_ name: String, _ boot: DirectBoot?) {
            self.name = name
            self.boot = boot
        }
    }

    public struct Match: Sendable {
        /// The launch that gives the measurement.
        public let launch: SNPLaunch
        /// In what it is another than the supposed one: `vcpus 8, not 4`. Empty where it is that one.
        public let differences: [String]
    }

    private let supposed: SNPLaunch
    private let boots: [Boot]
    private let processors: Int

    /// SEV_FEATURES that hypervisors are known to set: SNP alone or with debug swap, secure TSC, both.
    private static let features: [UInt64] = [0x1, 0x21, 0x201, 0x221]

    /// - Parameters:
    ///   - boots: other things that may have been booted than what `supposed` says.
    ///   - processors: up to how many to try.
    public init(supposed: SNPLaunch, boots: [Boot] = [], processors: Int = 512) {
        self.supposed = supposed
        self.boots = [Boot("as given", supposed.boot)] + boots
        self.processors = max(supposed.processors, processors)
    }

    /// How many launches are tried at most.
    public var size: Int {
        boots.count * profiles.count * types.count * features.count * processors
    }

    /// The matching launch that differs least; nil where there is none, and so firmware, kernel, initrd or command line must be
    /// other ones.
    public func match(_ measurement: [UInt8]) throws(MeasurementError) -> Match? {
        var best: Match?
        let firmwareDigest = try firmwareDigest()
        for boot in boots {
            for profile in profiles {
                var launch = supposed
                launch.boot = boot.boot
                launch.profile = profile
                launch.firmwareDigest = firmwareDigest
                // A firmware without a place for the hashes of a kernel was not launched with one.
                guard let run = try? Self.beforeProcessors(launch) else { continue }
                for found in matches(measurement, launch, run) {
                    let match = Match(launch: found, differences: differences(of: found, boot))
                    if match.differences.count < best?.differences.count ?? .max { best = match }
                }
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

    private func firmwareDigest() throws(MeasurementError) -> [UInt8] {
        var run = SNPLaunchRun(launch: supposed)
        try run.addFirmware()
        return run.digest.value
    }

    private static func beforeProcessors(_ launch: SNPLaunch) throws(MeasurementError) -> (SNPLaunchRun, SNPLaunchRun.Entry)
    {
        var run = SNPLaunchRun(launch: launch)
        try run.addFirmware()
        let entry = if let svsm = launch.svsm { try run.add(svsm) } else { try run.addSections() }
        return (run, entry)
    }

    /// Processors are the last that is measured: what is before them is hashed once for all types, features and numbers.
    private func matches(
        _ measurement: [UInt8], _ launch: SNPLaunch, _ before: (run: SNPLaunchRun, entry: SNPLaunchRun.Entry)
    ) -> [SNPLaunch] {
        var found: [SNPLaunch] = []
        for type in types {
            for features in features {
                var launch = launch
                launch.type = type
                launch.features = features
                var digest = before.run.digest
                let pages = SNPLaunchRun.processorPages(launch, before.entry).map(digest.contentsDigest)
                for count in 1...processors {
                    digest.extend(.vmsa, pages[min(count - 1, 1)], at: LaunchDigest.vmsaAddress)
                    guard digest.value == measurement else { continue }
                    launch.processors = count
                    found.append(launch)
                }
            }
        }
        return found
    }

    private func differences(of launch: SNPLaunch, _ boot: Boot) -> [String] {
        var differences: [String] = []
        func compare(_ name: String, _ found: String, _ given: String) {
            if found != given { differences.append("\(name) \(found), not \(given)") }
        }
        func hexadecimal(_ launch: SNPLaunch) -> String {
            "0x\(String(launch.features ?? launch.profile.features, radix: 16))"
        }
        compare("vmm", launch.profile.name, supposed.profile.name)
        compare("vcpus", "\(launch.processors)", "\(supposed.processors)")
        // Of several types with one signature nothing tells which it was.
        if launch.type.signature != supposed.type.signature { compare("vcpu-type", launch.type.name, supposed.type.name) }
        compare("guest-features", hexadecimal(launch), hexadecimal(supposed))
        compare("boot", boot.name, boots[0].name)
        return differences
    }
}
