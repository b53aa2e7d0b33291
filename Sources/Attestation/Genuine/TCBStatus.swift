// SPDX-License-Identifier: Apache-2.0

/// How a part of a platform stands to what Intel knows of it, under Intel's names.
public enum TCBStatus: String, Sendable, CaseIterable {
    case upToDate = "UpToDate"
    /// Up to date where the software in the guest has been hardened.
    case swHardeningNeeded = "SWHardeningNeeded"
    /// Up to date where the platform is configured as advised.
    case configurationNeeded = "ConfigurationNeeded"
    case configurationAndSWHardeningNeeded = "ConfigurationAndSWHardeningNeeded"
    case outOfDate = "OutOfDate"
    case outOfDateConfigurationNeeded = "OutOfDateConfigurationNeeded"
    /// Keys of this level are known to others.
    case revoked = "Revoked"

    /// The status of a whole of which one part has this and another that: it has every fault that a part has.
    func joined(with other: TCBStatus) -> TCBStatus {
        let faults = faults.union(other.faults)
        if faults.contains(.revoked) { return .revoked }
        if faults.contains(.outOfDate) {
            return faults.contains(.configuration) ? .outOfDateConfigurationNeeded : .outOfDate
        }
        return switch (faults.contains(.configuration), faults.contains(.hardening)) {
        case (true, true): .configurationAndSWHardeningNeeded
        case (true, false): .configurationNeeded
        case (false, true): .swHardeningNeeded
        case (false, false): .upToDate
        }
    }

    private struct Faults: OptionSet {
        let rawValue: UInt8
        static let hardening = Faults(rawValue: 1)
        static let configuration = Faults(rawValue: 2)
        static let outOfDate = Faults(rawValue: 4)
        static let revoked = Faults(rawValue: 8)
    }

    private var faults: Faults {
        switch self {
        case .upToDate: []
        case .swHardeningNeeded: .hardening
        case .configurationNeeded: .configuration
        case .configurationAndSWHardeningNeeded: [.configuration, .hardening]
        case .outOfDate: .outOfDate
        case .outOfDateConfigurationNeeded: [.outOfDate, .configuration]
        case .revoked: .revoked
        }
    }
}
