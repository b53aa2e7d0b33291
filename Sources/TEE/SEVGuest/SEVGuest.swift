// SPDX-License-Identifier: Apache-2.0
internal import Glibc
public import PinKit

/// The kernel's other door to the SNP firmware, and the only one to derived keys: ioctls on `/dev/sev-guest` (Linux 5.19 and
/// later; Documentation/virt/coco/sev-guest.rst).
///
/// After an error that it does not know the driver gives its key to the firmware up until the next boot: so each question is
/// asked once, and again only where the hypervisor said that it was busy.
@safe public struct SEVGuest: Sendable {
    /// ioctl: descriptor, command, `struct snp_guest_request_ioctl`; 0 or errno.
    package typealias Call = @Sendable (Int32, UInt, UnsafeMutableRawPointer) -> Int32

    private let path: String
    private let pause: Int
    private let call: Call

    public init() {
        unsafe self.init(path: "/dev/sev-guest", pause: 2000) { descriptor, command, envelope in
            unsafe ioctl(descriptor, command, envelope) == 0 ? 0 : errno
        }
    }

    /// The one seam for tests. `pause`: milliseconds until a busy hypervisor is asked again.
    package init(path: String, pause: Int, call: @escaping Call) {
        self.path = path
        self.pause = pause
        unsafe self.call = call
    }

    /// Throws `.unavailable` where there is no such device, or it is not ours to open. Does not trouble the firmware.
    public func requirePlatform() throws(PinError) { _ = try Device(path) }

    /// A report over `reportData` (64 bytes) with the host's certificates, as configfs-tsm would give it. `privilegeLevel`:
    /// the VMPL to report for.
    ///
    /// Throws `.unavailable` where there is no device or the platform is busy until the deadline, `.refused` for a privilege
    /// level above the caller's, else `.failed`.
    public func report(
        over reportData: [UInt8], privilegeLevel: UInt8 = 0, before deadline: Deadline
    ) throws(PinError) -> TSMReport {
        precondition(reportData.count == TSMEntry.reportDataSize, "report data is \(TSMEntry.reportDataSize) bytes")
        let device = try Device(path)
        let request = SEVGuestMessage.reportRequest(over: reportData, privilegeLevel: privilegeLevel)
        var response = [UInt8](repeating: 0, count: SEVGuestMessage.reportResponseSize)
        var certificates = [UInt8](repeating: 0, count: SEVGuestMessage.certificatesSize)
        var answer = try waitingWhileBusy(before: deadline) {
            unsafe certificates.withUnsafeMutableBytes { room in
                let address = UInt(bitPattern: room.baseAddress)
                let request = SEVGuestMessage.extendedRequest(request, certificates: address)
                return unsafe ask(.extendedReport, of: device, request, &response)
            }
        }
        // Without certificates somebody may still know them: a broker keeps those it has seen.
        if answer.lacksRoom {
            answer = try waitingWhileBusy(before: deadline) { unsafe ask(.report, of: device, request, &response) }
            certificates = []
        }
        guard answer.code == 0 else { throw answer.error(TSMEntry.step) }
        return TSMReport(
            provider: TSMDriver.sevGuest.rawValue, report: try Self.report(in: response, over: reportData),
            certificates: Self.trimmed(certificates))
    }

    /// The 32 bytes that the firmware derives for this guest from `selection`: the same each time, for whoever the selected
    /// fields describe. Throws as ``report(over:privilegeLevel:before:)``, `.refused` for an SVN or a TCB that is too high.
    public func derivedKey(_ selection: DerivedKeySelection, before deadline: Deadline) throws(PinError) -> SecretBytes {
        let step = "derived key"
        let device = try Device(path)
        let response = try unsafe SecretBytes(count: SEVGuestMessage.keyResponseSize) { (buffer) throws(PinError) in
            guard let start = buffer.baseAddress else { return }
            let answer = try waitingWhileBusy(before: deadline) {
                unsafe ask(.derivedKey, of: device, SEVGuestMessage.keyRequest(selection), start)
            }
            guard answer.code == 0 else { throw answer.error(step) }
        }
        let status = unsafe response.withUnsafeBytes { unsafe $0.loadUnaligned(as: UInt32.self) }
        guard status == 0 else { throw SEVGuestAnswer.error(step, firmware: status) }
        guard let key = response.slice(SEVGuestMessage.keyRange), !key.isZero else {
            throw PinError(.failed, step: step, detail: "the firmware gave a key of zeros")
        }
        return key
    }
}

// MARK: - The call

extension SEVGuest {
    private func waitingWhileBusy(
        before deadline: Deadline, _ ask: () -> SEVGuestAnswer
    ) throws(PinError) -> SEVGuestAnswer {
        while true {
            guard !deadline.hasPassed else {
                throw PinError(.unavailable, step: TSMEntry.step, detail: "the deadline has passed")
            }
            let answer = ask()
            guard answer.isBusy else { return answer }
            Self.sleep(milliseconds: min(pause, deadline.millisecondsLeft))
        }
    }

    /// `response` must have the size that the command's structure has.
    private func ask(
        _ command: SEVGuestMessage.Command, of device: borrowing Device, _ request: [UInt8],
        _ response: UnsafeMutableRawPointer
    ) -> SEVGuestAnswer {
        // The driver writes to the request too: the length of the certificates.
        var request = request
        return unsafe request.withUnsafeMutableBytes { request in
            var envelope = SEVGuestMessage.envelope(
                request: UInt(bitPattern: request.baseAddress), response: UInt(bitPattern: response))
            let code = unsafe call(device.number, command.rawValue, &envelope)
            let information = envelope.suffix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            return SEVGuestAnswer(code: code, exitInformation: information)
        }
    }

    private static func sleep(milliseconds: Int) {
        var time = timespec(tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000)
        _ = unsafe nanosleep(&time, nil)
    }

    private struct Device: ~Copyable {
        let number: Int32

        init(_ path: String) throws(PinError) {
            let number = unsafe open(path, O_RDWR | O_CLOEXEC)
            guard number >= 0 else { throw Device.error(errno, path) }
            self.number = number
        }

        deinit { close(number) }

        private static func error(_ reason: Int32, _ path: String) -> PinError {
            let hint =
                switch reason {
                case ENOENT, ENODEV, ENXIO: " (not a SEV-SNP guest, or it takes modprobe sev-guest)"
                case EACCES, EPERM: " (only root may ask for a report)"
                default: ""
                }
            return PinError(
                hint.isEmpty ? .failed : .unavailable, step: TSMEntry.step,
                detail: "open \(path): \(unsafe String(cString: strerror(reason)))\(hint)")
        }
    }
}

// MARK: - What came back

extension SEVGuest {
    private static func report(in response: [UInt8], over reportData: [UInt8]) throws(PinError) -> [UInt8] {
        let numbers = [0..<4, 4..<8].map { response[$0].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) } }
        guard numbers[0] == 0 else { throw SEVGuestAnswer.error(TSMEntry.step, firmware: numbers[0]) }
        guard numbers[1] == UInt32(SNPReport.byteCount) else {
            throw PinError(.failed, step: TSMEntry.step, detail: "a report of \(numbers[1]) bytes")
        }
        let report = Array(response.dropFirst(SEVGuestMessage.reportOffset).prefix(SNPReport.byteCount))
        try TSMEntry.check(report, of: .sevGuest, isOver: reportData)
        return report
    }

    /// Without what pads the table to whole pages. A table that cannot be read is the host's, and the verifier's to refuse.
    private static func trimmed(_ certificates: [UInt8]) -> [UInt8] {
        guard let table = try? SNPCertificateTable(parsing: certificates) else { return certificates }
        return table.entries.isEmpty ? [] : table.encoded
    }
}

extension SecretBytes {
    fileprivate var isZero: Bool { unsafe withUnsafeBytes { unsafe $0.allSatisfy { $0 == 0 } } }
}
