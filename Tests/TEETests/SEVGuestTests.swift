// SPDX-License-Identifier: Apache-2.0
import Glibc
import PinKit
import Synchronization
import TEE
import Testing

/// A driver that follows the addresses in the kernel's structures, as the kernel does.
private final class FakeDriver: Sendable {
    struct Asked: Sendable, Equatable {
        let command: UInt
        let request: [UInt8]
    }

    /// What is done for one call: errno and exitinfo2, and what lands in response and certificates.
    struct Reply: Sendable {
        var code: Int32 = 0
        var exitInformation: UInt64 = 0
        var response: [UInt8] = []
        var certificates: [UInt8] = []
    }

    private let replies: Mutex<[Reply]>
    private let log = Mutex<[Asked]>([])

    init(_ replies: [Reply]) { self.replies = Mutex(replies) }

    var asked: [Asked] { log.withLock { $0 } }

    var guest: SEVGuest {
        unsafe SEVGuest(path: "/dev/null", pause: 10) { _, command, envelope in unsafe self.call(command, envelope) }
    }

    private func call(_ command: UInt, _ envelope: UnsafeMutableRawPointer) -> Int32 {
        let size = [0xC020_5300: 96, 0xC020_5301: 32, 0xC020_5302: 112][command] ?? 0
        guard unsafe envelope.load(as: UInt8.self) == 1, unsafe envelope.load(fromByteOffset: 24, as: UInt64.self) == 0xFF,
            let request = unsafe pointer(envelope, 8), let response = unsafe pointer(envelope, 16)
        else { return EFAULT }
        let bytes = unsafe Array(UnsafeRawBufferPointer(start: request, count: size))
        log.withLock { $0.append(Asked(command: command, request: bytes)) }
        guard let reply = replies.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) else { return ENOTTY }
        unsafe response.copyMemory(from: reply.response, byteCount: reply.response.count)
        if command == 0xC020_5302, let certificates = unsafe pointer(request, 96) {
            guard unsafe request.load(fromByteOffset: 104, as: UInt32.self) == 0x4000 else { return EINVAL }
            unsafe certificates.copyMemory(from: reply.certificates, byteCount: reply.certificates.count)
        }
        unsafe envelope.storeBytes(of: reply.exitInformation, toByteOffset: 24, as: UInt64.self)
        return reply.code
    }

    private func pointer(_ structure: UnsafeMutableRawPointer, _ offset: Int) -> UnsafeMutableRawPointer? {
        unsafe UnsafeMutableRawPointer(bitPattern: UInt(structure.load(fromByteOffset: offset, as: UInt64.self)))
    }
}

@Suite struct SEVGuestTests {
    private let reportData = pattern(64, from: 1)
    private let soon = Deadline.after(seconds: 10)
    private static let table = SNPCertificateTable(entries: [.init(kind: .vcek, bytes: [1, 2, 0])])

    private func report(over data: [UInt8], status: UInt8 = 0, size: [UInt8] = [0xA0, 4, 0, 0]) -> [UInt8] {
        var report = draftReport()
        SNPField.reportData.put(data, into: &report)
        return [status, 0, 0, 0] + size + [UInt8](repeating: 0, count: 24) + report
    }

    @Test func `the commands are those of the kernel's header`() {
        // _IOWR: 3 << 30 | sizeof(struct snp_guest_request_ioctl) << 16 | 'S' << 8 | number
        let commands = (0...2).map { UInt(3 << 30 | 32 << 16 | 0x53 << 8 | $0) }
        #expect(SEVGuestMessage.Command.report.rawValue == commands[0])
        #expect(SEVGuestMessage.Command.derivedKey.rawValue == commands[1])
        #expect(SEVGuestMessage.Command.extendedReport.rawValue == commands[2])
        #expect(SEVGuestMessage.reportResponseSize == 4000 && SEVGuestMessage.keyResponseSize == 64)
    }

    @Test func `a report comes with the certificates, without their padding`() throws {
        let driver = FakeDriver([
            .init(response: report(over: reportData), certificates: Self.table.encoded + [UInt8](repeating: 0, count: 4000))
        ])
        let answer = try driver.guest.report(over: reportData, privilegeLevel: 2, before: soon)
        #expect(answer.provider == TSMDriver.sevGuest.rawValue && answer.report.count == SNPReport.byteCount)
        #expect(answer.certificates == Self.table.encoded)
        let asked = try #require(driver.asked.first)
        #expect(asked.command == 0xC020_5302 && driver.asked.count == 1)
        #expect(Array(asked.request.prefix(96)) == reportData + [2, 0, 0, 0] + [UInt8](repeating: 0, count: 28))
    }

    @Test func `a host without certificates gives none, and one with too many makes it a plain report`() throws {
        let none = FakeDriver([.init(response: report(over: reportData))])
        #expect(try none.guest.report(over: reportData, before: soon).certificates == [])
        let many = FakeDriver([.init(code: EIO, exitInformation: 1 << 32), .init(response: report(over: reportData))])
        #expect(try many.guest.report(over: reportData, before: soon).certificates == [])
        #expect(many.asked.map(\.command) == [0xC020_5302, 0xC020_5300])
    }

    @Test func `a busy hypervisor is asked again, until the deadline`() throws {
        let busy = FakeDriver.Reply(code: EIO, exitInformation: 2 << 32)
        let again = FakeDriver.Reply(code: EAGAIN, exitInformation: 0xFF)
        let driver = FakeDriver([busy, again, .init(response: report(over: reportData))])
        _ = try driver.guest.report(over: reportData, before: soon)
        #expect(driver.asked.count == 3)
        let stubborn = FakeDriver([FakeDriver.Reply](repeating: busy, count: 1000))
        #expect(throws: PinError(.unavailable)) {
            try stubborn.guest.report(over: reportData, before: .after(milliseconds: 50))
        }
        #expect((1...6).contains(stubborn.asked.count))
        #expect(throws: PinError(.unavailable)) {
            _ = try stubborn.guest.derivedKey(Self.selection, before: .after(milliseconds: 0))
        }
    }

    @Test(
        arguments: [
            (EIO, 0x16, .refused, "INVALID_PARAM"), (EIO, 0x27, .refused, "INVALID_KEY"), (EIO, 0x1f, .failed, "0x1f"),
            (EIO, 0xFF, .failed, "Input/output error"), (EIO, 3 << 32, .unavailable, "error 3"),
            (ENOTTY, 0xFF, .failed, "only a reboot"), (ETIMEDOUT, 0xFF, .unavailable, "busy"),
            (EINVAL, 0xFF, .failed, "Invalid argument"),
        ] as [(Int32, UInt64, PinError.Code, String)])
    func `each way to fail says what a person can know`(
        code: Int32, information: UInt64, expected: PinError.Code, detail: String
    ) {
        let driver = FakeDriver([.init(code: code, exitInformation: information)])
        let error = #expect(throws: PinError(expected)) { try driver.guest.report(over: reportData, before: soon) }
        #expect(error?.detail.contains(detail) == true, "\(String(describing: error))")
        #expect(driver.asked.count == 1)
    }

    @Test func `a response that is no report over the data sent is a failure`() {
        let responses = [
            report(over: pattern(64, from: 2)), report(over: reportData, size: [0xA1, 4, 0, 0]),
            report(over: reportData, status: 0x1f), [],
        ]
        for response in responses {
            #expect(throws: PinError(.failed)) {
                try FakeDriver([.init(response: response)]).guest.report(over: reportData, before: soon)
            }
        }
        #expect(throws: PinError(.refused)) {
            try FakeDriver([.init(response: report(over: reportData, status: 0x16))]).guest.report(
                over: reportData, before: soon)
        }
    }

    @Test func `without the device it is unavailable and says what to load`() {
        let guest = unsafe SEVGuest(path: "/nonexistent/sev-guest", pause: 10) { _, _, _ in ENOTTY }
        let error = #expect(throws: PinError(.unavailable)) { try guest.report(over: reportData, before: soon) }
        #expect(error?.detail.contains("modprobe sev-guest") == true)
    }

    // MARK: - Derived keys

    private static let selection = DerivedKeySelection(
        fields: [.guestPolicy, .measurement, .guestSVN, .tcb, .imageID], privilegeLevel: 1, guestSVN: 0x01020304,
        tcb: TCBVersion([10, 0, 0, 0, 0, 0, 23, 84])!)

    @Test func `a derived key is asked for by exactly what was selected`() throws {
        let driver = FakeDriver([.init(response: [UInt8](repeating: 0, count: 32) + pattern(32, from: 7))])
        let key = try driver.guest.derivedKey(Self.selection, before: soon)
        let isTheFirmwares = key.equals(SecretBytes(copyingPublic: pattern(32, from: 7)))
        #expect(isTheFirmwares)
        let head: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0b111011, 0, 0, 0, 0, 0, 0, 0]
        #expect(
            driver.asked == [
                .init(command: 0xC020_5301, request: head + [1, 0, 0, 0, 4, 3, 2, 1, 10, 0, 0, 0, 0, 0, 23, 84])
            ])
    }

    @Test func `no key, or one of zeros, is an error`() {
        let cases: [([UInt8], PinError.Code)] = [
            ([UInt8](repeating: 0, count: 64), .failed), ([0x16, 0, 0, 0] + [UInt8](repeating: 9, count: 60), .refused),
        ]
        for (response, code) in cases {
            #expect(throws: PinError(code)) {
                _ = try FakeDriver([.init(response: response)]).guest.derivedKey(Self.selection, before: soon)
            }
        }
    }

    // MARK: - Which door

    @Test func `configfs-tsm is asked first, and the device where there is none`() throws {
        let driver = FakeDriver([.init(response: report(over: reportData))])
        let reporter = PlatformReporter(tsm: TSMReporter(root: "/nonexistent/tsm/report"), sevGuest: driver.guest)
        try reporter.requirePlatform()
        #expect(try reporter.report(over: reportData, before: soon).provider == TSMDriver.sevGuest.rawValue)
        let neither = PlatformReporter(
            tsm: TSMReporter(root: "/nonexistent/tsm/report"),
            sevGuest: unsafe SEVGuest(path: "/nonexistent", pause: 10) { _, _, _ in ENOTTY })
        let error = #expect(throws: PinError(.unavailable)) { try neither.requirePlatform() }
        #expect(error?.detail.contains("modprobe tsm") == true)
    }
}
