// SPDX-License-Identifier: Apache-2.0
internal import Glibc
public import PinKit

/// What the platform said about this guest.
public struct TSMReport: Sendable, Equatable {
    /// The kernel driver that answered, `sev_guest` or `tdx_guest`.
    public let provider: String
    /// A SNP report or a TDX quote.
    public let report: [UInt8]
    /// The host's certificate table (``SNPCertificateTable``); empty where it has none.
    public let certificates: [UInt8]

    package init(provider: String, report: [UInt8], certificates: [UInt8]) {
        self.provider = provider
        self.report = report
        self.certificates = certificates
    }
}

/// A kernel driver that answers through configfs-tsm; the raw value is what `provider` says.
public enum TSMDriver: String, Sendable {
    /// SEV-SNP's: reports, with certificates in auxblob.
    case sevGuest = "sev_guest"
    /// TDX's: quotes, which carry their certificates.
    case tdxGuest = "tdx_guest"

    /// A machine that has it, for people.
    var guest: String { self == .sevGuest ? "AMD SEV-SNP guest" : "Intel TDX guest" }
}

/// Asks the platform for a report through configfs-tsm (Linux 6.7 and later; Documentation/ABI/testing/configfs-tsm-report).
///
/// Firmware requests are slow, hosts ration them, and a driver that is pressed gives up until the next boot: one report per
/// run, and no polling.
public struct TSMReporter: Sendable {
    private let root: String
    private let driver: TSMDriver?

    /// `driver`: the only one whose reports are wanted; nil takes whichever is there.
    public init(_ driver: TSMDriver? = nil) { self.init(driver, root: "/sys/kernel/config/tsm/report") }

    /// The one seam for tests; no variable and no option leads here.
    package init(_ driver: TSMDriver? = nil, root: String) {
        self.driver = driver
        self.root = root
    }

    /// Whether this kernel has configfs-tsm at all, which is not yet a platform that answers.
    var isOffered: Bool { ConfigFS.exists(root) }

    /// How often a report is asked for again after somebody else wrote to our entry.
    static let maximumRetries = 2

    /// A report over `reportData` (64 bytes). `privilegeLevel`: the VMPL to report for, SEV-SNP only; nil is the kernel's
    /// own.
    ///
    /// Throws `.unavailable` where there is no TEE or it does not answer in time, else `.failed`. The deadline is looked at
    /// between system calls; the one that waits for the firmware (up to 60 s) cannot be interrupted.
    public func report(
        over reportData: [UInt8], privilegeLevel: UInt8? = nil, before deadline: Deadline
    ) throws(PinError) -> TSMReport {
        var retries = 0
        while true {
            do throws(TSMEntry.Failure) {
                return try ask(over: reportData, privilegeLevel: privilegeLevel, before: deadline)
            } catch {
                guard case .raced = error, retries < Self.maximumRetries else { throw error.pinError }
                retries += 1
            }
        }
    }

    /// Throws as ``report(over:privilegeLevel:before:)`` would where nobody can answer: no TEE, another one than is
    /// wanted, not root. Does not trouble the firmware, so it can be asked before anything else is.
    public func requirePlatform() throws(PinError) {
        do throws(TSMEntry.Failure) {
            let entry = try makeEntry()
            defer { ConfigFS.removeDirectory(entry.path) }
            if driver != nil { try entry.provider(as: driver) }
        } catch {
            throw error.pinError
        }
    }

    private func ask(
        over reportData: [UInt8], privilegeLevel: UInt8?, before deadline: Deadline
    ) throws(TSMEntry.Failure) -> TSMReport {
        let entry = try makeEntry()
        defer { ConfigFS.removeDirectory(entry.path) }
        return try entry.report(over: reportData, of: driver, privilegeLevel: privilegeLevel, before: deadline)
    }

    /// A new entry, which the kernel only makes where a driver stands behind it. The caller removes it.
    private func makeEntry() throws(TSMEntry.Failure) -> TSMEntry {
        let entry = TSMEntry(path: "\(root)/cvm-clevis-\(try name())")
        do throws(ConfigFS.Failure) {
            try ConfigFS.makeDirectory(entry.path)
        } catch {
            throw .kernel(error)
        }
        return entry
    }

    /// Random, so that two programs never share an entry.
    private func name() throws(TSMEntry.Failure) -> String {
        do throws(PinError) {
            return Hex.encode(try Random.bytes(8))
        } catch {
            throw .other(error)
        }
    }
}

extension TSMEntry.Failure {
    /// As the pin passes it on, with what a person can do about it.
    package var pinError: PinError {
        switch self {
        case .other(let error): return error
        case .raced(let detail): return PinError(.failed, step: TSMEntry.step, detail: detail)
        case .kernel(let failure):
            let (code, hint) = Self.reading(failure)
            let detail = hint.isEmpty ? failure.description : "\(failure) (\(hint))"
            return PinError(code, step: TSMEntry.step, detail: detail)
        }
    }

    private static func reading(_ failure: ConfigFS.Failure) -> (PinError.Code, hint: String) {
        switch (failure.call, failure.code) {
        case ("mkdir", ENXIO): (.unavailable, "not a confidential VM: neither sev-guest nor tdx-guest offers reports")
        case ("mkdir", ENOENT): (.unavailable, "no configfs-tsm: it takes Linux 6.7, configfs mounted, and modprobe tsm")
        case (_, EACCES), (_, EPERM): (.unavailable, "only root may ask for a report")
        case (_, ENXIO): (.unavailable, "the driver went away")
        case (_, EBUSY), (_, ETIMEDOUT): (.unavailable, "the platform is busy")
        case (_, ENOTTY): (.failed, "the driver has given up its key to the firmware; only a reboot brings it back")
        default: (.failed, "")
        }
    }
}
