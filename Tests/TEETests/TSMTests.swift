// SPDX-License-Identifier: Apache-2.0
import FileIO
import Glibc
import PinKit
import TEE
import Testing

/// Plain directories show the error paths; what the kernel does on close is the simulator's to show.
@Suite struct TSMReporterTests {
    private let reportData = pattern(64, from: 1)
    private let soon = Deadline.after(seconds: 10)

    @Test func `without configfs-tsm it is unavailable and says what to load`() {
        let reporter = TSMReporter(root: "/nonexistent/tsm/report")
        let error = #expect(throws: PinError(.unavailable)) { try reporter.report(over: reportData, before: soon) }
        #expect(error?.detail.contains("mkdir /nonexistent/tsm/report/cvm-clevis-") == true)
        #expect(error?.detail.contains("modprobe tsm") == true)
    }

    @Test func `whether there is a platform is found out without a trace`() throws {
        #expect(throws: PinError(.unavailable)) { try TSMReporter(root: "/nonexistent/tsm/report").requirePlatform() }
        try withDirectory { root in
            try TSMReporter(root: root).requirePlatform()
            #expect(unsafe rmdir(root) == 0, "something was left in \(root)")
        }
    }

    @Test func `the entry is removed when the question fails`() throws {
        try withDirectory { root in
            let error = #expect(throws: PinError(.failed)) {
                try TSMReporter(root: root).report(over: reportData, before: soon)
            }
            #expect(error?.detail.contains("provider: No such file or directory") == true)
            #expect(unsafe rmdir(root) == 0, "something was left in \(root)")
        }
    }

    @Test func `after the deadline nothing is asked`() throws {
        try withEntry { entry, path in
            #expect(throws: PinError(.unavailable)) { try ask(entry, before: .after(milliseconds: 0)) }
            let sent = try FileIO.read("\(path)/inblob", limit: 100)
            #expect(sent.isEmpty)
        }
    }

    @Test func `what the attributes hold is the answer`() throws {
        let report = self.report(over: reportData)
        try withEntry(["outblob": report, "auxblob": [1, 2, 3]]) { entry, path in
            let answer = try ask(entry, before: soon)
            #expect(answer == TSMReport(provider: "sev_guest", report: report, certificates: [1, 2, 3]))
            #expect(try FileIO.read("\(path)/inblob", limit: 100) == reportData)
        }
    }

    @Test func `a privilege level is one more write`() throws {
        let files = ["outblob": report(over: reportData), "generation": Array("2\n".utf8), "privlevel": []]
        try withEntry(files) { entry, path in
            #expect(throws: Never.self) { try ask(entry, privilegeLevel: 2, before: soon) }
            let level = try FileIO.read("\(path)/privlevel", limit: 100)
            #expect(level == Array("2\n".utf8))
        }
    }

    @Test func `a question that the kernel did not take is a failure`() throws {
        try withEntry(["generation": Array("0\n".utf8)]) { entry, _ in
            #expect(throws: PinError(.failed)) { try ask(entry, before: soon) }
        }
    }

    @Test func `a write of somebody else is a race`() throws {
        try withEntry(["generation": Array("2\n".utf8)]) { entry, _ in
            let failure = #expect(throws: TSMEntry.Failure.self) {
                try entry.report(over: reportData, of: nil, privilegeLevel: nil, before: soon)
            }
            guard case .raced = failure else {
                Issue.record("not a race: \(String(describing: failure))")
                return
            }
        }
    }

    @Test func `a report over other data, a short one and a long one are failures`() throws {
        let whole = report(over: pattern(64, from: 2))
        for outblob in [whole, Array(whole.dropLast()), [], [UInt8](repeating: 0, count: (16 << 10) + 1)] {
            try withEntry(["outblob": outblob]) { entry, _ in
                #expect(throws: PinError(.failed), "\(outblob.count) bytes") { try ask(entry, before: soon) }
            }
        }
    }

    @Test func `a TDX quote comes without certificates, and with its padding`() throws {
        let quote = try draftQuote(over: reportData) + [0, 0, 0]
        try withEntry(["provider": Array("tdx_guest\n".utf8), "outblob": quote, "auxblob": [9]]) { entry, _ in
            let answer = try ask(entry, before: soon)
            #expect(answer == TSMReport(provider: "tdx_guest", report: quote, certificates: []))
        }
    }

    @Test func `a quote over other data, and a short one, are failures`() throws {
        let whole = try draftQuote(over: pattern(64, from: 2))
        for outblob in [whole, Array(try draftQuote(over: reportData).dropLast()), [], [4, 0]] {
            try withEntry(["provider": Array("tdx_guest\n".utf8), "outblob": outblob]) { entry, _ in
                #expect(throws: PinError(.failed), "\(outblob.count) bytes") { try ask(entry, before: soon) }
            }
        }
    }

    // MARK: - A directory in place of configfs

    private func ask(
        _ entry: TSMEntry, privilegeLevel: UInt8? = nil, before deadline: Deadline
    ) throws(PinError) -> TSMReport {
        do throws(TSMEntry.Failure) {
            return try entry.report(over: reportData, of: nil, privilegeLevel: privilegeLevel, before: deadline)
        } catch {
            throw error.pinError
        }
    }

    /// Signed by nobody.
    private func draftQuote(over reportData: [UInt8]) throws -> [UInt8] {
        var report = [UInt8](repeating: 0, count: TDReport.byteCount10)
        TDXField.reportData.put(reportData, into: &report)
        let signed = TDXQuote.signedBytes(
            of: try #require(TDReport(report)), version: 4, vendor: [UInt8](repeating: 0, count: 16))
        let zeros = [UInt8](repeating: 0, count: 64)
        let signature = TDXQuoteSignature(
            signature: zeros, attestationKey: zeros,
            qeReport: try #require(QEReport([UInt8](repeating: 0, count: QEReport.byteCount))), qeReportSignature: zeros,
            qeAuthentication: [], certificates: [])
        return TDXQuote.encode(signed: signed, signature: signature)
    }

    private func report(over reportData: [UInt8]) -> [UInt8] {
        var report = draftReport()
        SNPField.reportData.put(reportData, into: &report)
        return report
    }

    /// An entry after one write to it, with `changes` to its files.
    private func withEntry(_ changes: [String: [UInt8]] = [:], _ body: (TSMEntry, String) throws -> Void) throws {
        let usual: [String: [UInt8]] = [
            "inblob": [], "generation": Array("1\n".utf8), "provider": Array("sev_guest\n".utf8),
            "outblob": report(over: reportData), "auxblob": [],
        ]
        let files = usual.merging(changes) { _, change in change }
        try withDirectory { path in
            for (name, bytes) in files { try FileIO.create("\(path)/\(name)", bytes) }
            defer { for name in files.keys { _ = unsafe unlink("\(path)/\(name)") } }
            try body(TSMEntry(path: path), path)
        }
    }

    private func withDirectory(_ body: (String) throws -> Void) throws {
        let path = "/tmp/cvm-clevis-tsm-\(Hex.encode(try Random.bytes(8)))"
        try FileIO.makeDirectory(path, mode: 0o700)
        defer { _ = unsafe rmdir(path) }
        try body(path)
    }
}
