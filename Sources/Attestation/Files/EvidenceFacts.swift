// SPDX-License-Identifier: Apache-2.0
internal import PinKit
public import TEE

extension EvidenceFile {
    /// All that the file says. Throws `.malformed` where its report or quote cannot be read.
    public func facts() throws(EvidenceError) -> FactSheet {
        let sheet: FactSheet
        switch evidence {
        case .snp(let report, let table): sheet = FactSheet(try SNPReport(parsing: report), certificates: table)
        case .tdx(let quote, let eventLog): sheet = FactSheet(try TDXQuote(parsing: quote), eventLog: eventLog)
        }
        var sections = sheet.sections
        if let vtpm { sections.append(FactSheet.Section(name: "vtpm", facts: Self.facts(vtpm))) }
        if let nonce = request?.nonce {
            sections.append(FactSheet.Section(name: "request", facts: [FactSheet.Fact("nonce", nonce)]))
        }
        return FactSheet(title: sheet.title, sections: sections)
    }

    private static func facts(_ vtpm: AzureVTPM) -> [FactSheet.Fact] {
        [.bytes("quoted_data", vtpm.qualifyingData), .bytes("user_data", vtpm.userData)]
            + vtpm.pcrs.enumerated().map { .bytes("pcr\($0)", $1) }
    }
}
