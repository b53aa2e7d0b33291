// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// The sev-guest driver over a ``SimulatedSNP``, with the faults asked for.
final class SNPProvider: TSMProvider {
    private let platform: SimulatedSNP
    private let fault: Fault?
    private var firstInblob: [UInt8]?

    init(platform: SimulatedSNP, fault: Fault?) {
        self.platform = platform
        self.fault = fault
    }

    let name = "sev_guest"

    var privlevelFloor: UInt32 { platform.settings.vmpl }

    func report(inblob: [UInt8], privlevel: UInt32) throws(Errno) -> TSMBlobs {
        guard inblob.count == 64 else { throw .invalid }
        try interfere()
        do throws(SimulatorError) {
            return TSMBlobs(
                outblob: try outblob(over: asked(inblob), privlevel: privlevel),
                auxblob: fault == .noCertificates ? [] : platform.certificates)
        } catch {
            throw Errno(code: EIO)
        }
    }

    /// Faults of the driver and the firmware.
    private func interfere() throws(Errno) {
        switch fault {
        case .providerGone: throw .noSuchDevice
        case .firmwareError: throw Errno(code: EIO)
        case .slow(let milliseconds): usleep(milliseconds * 1000)
        default: break
        }
    }

    /// What the report is made over, which is not always what was asked.
    private func asked(_ inblob: [UInt8]) -> [UInt8] {
        switch fault {
        case .wrongReportData:
            return [inblob[0] ^ 1] + inblob.dropFirst()
        case .staleNonce:
            firstInblob = firstInblob ?? inblob
            return firstInblob ?? inblob
        default: return inblob
        }
    }

    private func outblob(over reportData: [UInt8], privlevel: UInt32) throws(SimulatorError) -> [UInt8] {
        switch fault {
        case .emptyOutblob: []
        case .truncatedOutblob: try platform.report(for: reportData, vmpl: privlevel).dropLast()
        case .tamperedReport(let offset): try platform.report(for: reportData, vmpl: privlevel, flipping: [offset])
        default: try platform.report(for: reportData, vmpl: privlevel)
        }
    }
}
