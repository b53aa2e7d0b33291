// SPDX-License-Identifier: Apache-2.0
import Glibc
import PinKit
import TEE
import Testing

@testable import TEESimulator

/// The signer at the other end of a socket pair, which keeps messages apart as the module's device does.
struct SignerTests {
    @Test func `a request is answered with a report over its data and the certificates`() throws {
        let answer = try ask(evidenceRequest(vmpl: 2))
        #expect(Array(answer.prefix(8)) == [0, 0, 0, 0, 0, 0, 0, 0])
        #expect(Array(answer[8..<12]) == [0xa0, 0x04, 0, 0])
        let report = try SNPReport(parsing: Array(answer[16..<16 + SNPReport.byteCount]))
        #expect(report.reportData == [UInt8](repeating: 7, count: 64))
        #expect(report.vmpl == 2)
        let table = try SNPCertificateTable(parsing: Array(answer[(16 + SNPReport.byteCount)...]))
        #expect(table.entries.count == 3)
    }

    @Test func `a fault of the firmware is an errno`() throws {
        let signer = try Signer(SimulatedPlatform(.snp(SNPSettings()), fault: .firmwareError))
        #expect(try ask(evidenceRequest(vmpl: 0), of: signer) == [0xfb, 0xff, 0xff, 0xff] + zeros(12))
    }

    @Test func `a request of no kind is invalid`() throws {
        #expect(try ask([9] + zeros(95)) == [0xea, 0xff, 0xff, 0xff] + zeros(12))
    }

    @Test func `a derived key is the same each time, and another with another field`() throws {
        let key = try ask(keyRequest(fields: 0b111001))
        #expect(Array(key.prefix(16)) == zeros(8) + [32, 0, 0, 0] + zeros(4))
        #expect(key.count == 48)
        #expect(try ask(keyRequest(fields: 0b111001)) == key)
        #expect(try ask(keyRequest(fields: 0b111000)) != key)
        var settings = SNPSettings()
        settings.measurement[0] ^= 1
        let other = try Signer(SimulatedPlatform(.snp(settings)))
        #expect(try ask(keyRequest(fields: 0b111001), of: other) != key)
        #expect(try ask(keyRequest(fields: 0b110001), of: other) == ask(keyRequest(fields: 0b110001)))
    }

    @Test func `a key for more than the guest or the platform is, is refused by the firmware`() throws {
        let refused: [UInt8] = [0xfb, 0xff, 0xff, 0xff, 0x16] + zeros(11)
        #expect(try ask(keyRequest(fields: 1, guestSVN: 1)) == refused)
        #expect(try ask(keyRequest(fields: 1, tcb: [11, 0, 0, 0, 0, 0, 0, 0])) == refused)
    }

    @Test func `a platform without evidence has nothing to sign`() {
        #expect(throws: SimulatorError.self) { try Signer(SimulatedPlatform(.none)) }
    }

    private func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }

    private func evidenceRequest(vmpl: UInt8) -> [UInt8] {
        [0, 0, 0, 0, vmpl, 0, 0, 0] + [UInt8](repeating: 7, count: 64) + zeros(24)
    }

    private func keyRequest(fields: UInt8, guestSVN: UInt8 = 0, tcb: [UInt8]? = nil) -> [UInt8] {
        [1] + zeros(71) + [fields] + zeros(7) + [guestSVN] + zeros(7) + (tcb ?? zeros(8))
    }

    private func ask(_ request: [UInt8], of signer: Signer? = nil) throws -> [UInt8] {
        let signer = try signer ?? Signer(SimulatedPlatform(.snp(SNPSettings())))
        var ends: [Int32] = [0, 0]
        try #require(unsafe socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue), 0, &ends) == 0)
        defer { ends.forEach { close($0) } }
        try #require(unsafe write(ends[0], request, request.count) == request.count)
        // Nothing more will be asked: the signer ends after its answer.
        shutdown(ends[0], Int32(SHUT_WR))
        signer.serve(ends[1])
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = unsafe read(ends[0], &buffer, buffer.count)
        return Array(buffer.prefix(max(count, 0)))
    }
}
