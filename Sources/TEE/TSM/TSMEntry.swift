// SPDX-License-Identifier: Apache-2.0
internal import Glibc
package import PinKit

/// One directory below `tsm/report`: one question and its answer.
///
/// What may go wrong without anybody saying so: a question is committed when `inblob` is closed, and the result of that is
/// dropped. All that tells is `generation`, which counts the writes: it must be our number of them before and after the
/// answer is read, or the answer is to another question.
package struct TSMEntry {
    let path: String

    package init(path: String) { self.path = path }

    package enum Failure: Error {
        case kernel(ConfigFS.Failure)
        /// Somebody else wrote to this entry; a new one may do.
        case raced(String)
        case other(PinError)
    }

    /// What errors say was being done.
    static let step = "attestation report"
    static let reportDataSize = 64
    /// A SNP report has 1184 bytes, a TDX quote about 5000.
    static let maximumReport = 16 << 10
    static let maximumCertificates = SNPCertificateTable.maximumByteCount
    private static let maximumText = 64

    package func report(
        over reportData: [UInt8], of driver: TSMDriver?, privilegeLevel: UInt8?, before deadline: Deadline
    ) throws(Failure) -> TSMReport {
        precondition(reportData.count == Self.reportDataSize, "report data is \(Self.reportDataSize) bytes")
        try check(deadline)
        let provider = try provider(as: driver)
        let writes = try put(reportData, privilegeLevel: privilegeLevel)
        try expectGeneration(writes)
        try check(deadline)
        let report = try read("outblob", limit: Self.maximumReport)
        // Certificates of the same generation come from the cache that reading outblob filled. Only SNP has them.
        let certificates =
            provider == TSMDriver.sevGuest.rawValue ? try read("auxblob", limit: Self.maximumCertificates) : []
        try expectGeneration(writes)
        try check(deadline)
        if let driver = TSMDriver(rawValue: provider) { try require(report, of: driver, isOver: reportData) }
        return TSMReport(provider: provider, report: report, certificates: certificates)
    }

    /// The driver that answers: see ``TSMDriver``. Throws `.refused` where that is another than `driver`: no
    /// attempt will find another machine.
    @discardableResult
    func provider(as driver: TSMDriver?) throws(Failure) -> String {
        let provider = try text("provider")
        guard let driver, provider != driver.rawValue else { return provider }
        let detail = "this machine is not an \(driver.guest): its reports come from \(provider)"
        throw .other(PinError(.refused, step: Self.step, detail: detail))
    }

    /// How many writes that were.
    private func put(_ reportData: [UInt8], privilegeLevel: UInt8?) throws(Failure) -> UInt64 {
        if let privilegeLevel { try write(Array("\(privilegeLevel)\n".utf8), to: "privlevel") }
        try write(reportData, to: "inblob")
        return privilegeLevel == nil ? 1 : 2
    }

    private func expectGeneration(_ expected: UInt64) throws(Failure) {
        let text = try text("generation")
        guard let generation = UInt64(text) else { throw failed("generation is no number") }
        guard generation >= expected else { throw failed("the kernel did not take the report data (generation \(text))") }
        guard generation == expected else { throw .raced("generation is \(text) after \(expected) writes of ours") }
    }

    private func require(_ report: [UInt8], of driver: TSMDriver, isOver reportData: [UInt8]) throws(Failure) {
        do throws(PinError) {
            try TSMEntry.check(report, of: driver, isOver: reportData)
        } catch {
            throw .other(error)
        }
    }

    /// Throws `.failed` for what is no report or quote, or one over something else than was sent.
    static func check(_ report: [UInt8], of driver: TSMDriver, isOver reportData: [UInt8]) throws(PinError) {
        let found: [UInt8]
        do throws(EvidenceError) {
            switch driver {
            case .sevGuest: found = try SNPReport(parsing: report).reportData
            case .tdxGuest: found = try TDXQuote(parsing: report).report.reportData
            }
        } catch {
            throw PinError(.failed, step: step, detail: error.description)
        }
        guard found == reportData else {
            throw PinError(.failed, step: step, detail: "the report is over other report data than was sent")
        }
    }

    private func check(_ deadline: Deadline) throws(Failure) {
        guard deadline.hasPassed else { return }
        throw .other(PinError(.unavailable, step: Self.step, detail: "the deadline has passed"))
    }

    private func failed(_ detail: String) -> Failure {
        .other(PinError(.failed, step: Self.step, detail: detail))
    }

    private func write(_ bytes: [UInt8], to attribute: String) throws(Failure) {
        do throws(ConfigFS.Failure) {
            try ConfigFS.write(bytes, to: "\(path)/\(attribute)")
        } catch {
            throw .kernel(error)
        }
    }

    private func read(_ attribute: String, limit: Int) throws(Failure) -> [UInt8] {
        do throws(ConfigFS.Failure) {
            return try ConfigFS.read("\(path)/\(attribute)", limit: limit)
        } catch {
            throw .kernel(error)
        }
    }

    /// A text attribute without its newline.
    private func text(_ attribute: String) throws(Failure) -> String {
        let bytes = try read(attribute, limit: Self.maximumText)
        return String(decoding: bytes.last == UInt8(ascii: "\n") ? bytes.dropLast() : bytes[...], as: UTF8.self)
    }
}
