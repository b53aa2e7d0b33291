// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// A pretend chip that makes evidence over 64 bytes.
protocol SimulatedChip: Sendable {
    /// The kernel driver's name for `provider`.
    var driver: String { get }
    /// The attributes that this driver's report directories have.
    var attributes: [TSMAttribute] { get }
    /// The lowest value that `privlevel` takes.
    var privlevelFloor: UInt32 { get }
    /// The byte that `tampered-report` changes where no other is named: one of the launch measurement.
    var measurementOffset: Int { get }

    /// `flipping`: offsets of bytes whose lowest bit is turned over after signing.
    func evidence(over reportData: [UInt8], privlevel: UInt32, flipping: [Int]) throws(SimulatorError) -> TSMBlobs

    /// 32 bytes; nil where the chip refuses, or derives no keys.
    func derivedKey(_ request: DerivedKeyRequest) -> [UInt8]?
}

/// The kernel's driver over a ``SimulatedChip``, with the faults asked for.
final class SimulatedDriver: TSMProvider {
    private let chip: any SimulatedChip
    private let fault: Fault?
    private var firstInblob: [UInt8]?

    init(_ chip: any SimulatedChip, fault: Fault?) {
        self.chip = chip
        self.fault = fault
    }

    var name: String { chip.driver }

    var attributes: [TSMAttribute] { chip.attributes }

    var privlevelFloor: UInt32 { chip.privlevelFloor }

    func report(inblob: [UInt8], privlevel: UInt32) throws(Errno) -> TSMBlobs {
        guard inblob.count == 64 else { throw .invalid }
        try interfere()
        do throws(SimulatorError) {
            return try blobs(over: asked(inblob), privlevel: privlevel)
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

    private func blobs(over reportData: [UInt8], privlevel: UInt32) throws(SimulatorError) -> TSMBlobs {
        var tampered: [Int] = []
        if case .tamperedReport(let offset) = fault { tampered = [offset ?? chip.measurementOffset] }
        var blobs = try chip.evidence(over: reportData, privlevel: privlevel, flipping: tampered)
        switch fault {
        case .emptyOutblob: blobs.outblob = []
        case .truncatedOutblob: blobs.outblob.removeLast()
        case .noCertificates: blobs.auxblob = []
        default: break
        }
        return blobs
    }
}
