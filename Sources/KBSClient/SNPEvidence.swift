// SPDX-License-Identifier: Apache-2.0
internal import PinKit
internal import TEE

/// A SEV-SNP report as servers of the KBS protocol want it: not its bytes, but what a library of theirs would read from them, field by
/// field, and the host's certificates as lists of numbers. The signed bytes come out again only if every field is there.
struct SNPEvidence {
    private let report: [UInt8]
    /// Before 0.4.0: flat, with the reserved fields. Since then: versions are objects, CPUID and mitigations have names.
    private let isFlat: Bool
    private var members: JSONObject = [:]

    /// `{"attestation_report":{…},"cert_chain":null or [{"cert_type":…,"data":[…]}]}`; nil where `report` is none, or has
    /// a number that JSON has no room for.
    static func json(report: [UInt8], certificates: [UInt8], isFlat: Bool) -> JSON? {
        guard report.count == SNPReport.byteCount, let table = try? SNPCertificateTable(parsing: certificates)
        else { return nil }
        var evidence = SNPEvidence(report: report, isFlat: isFlat)
        evidence.fill()
        // Both ends are signed 64-bit numbers here; the fields that are so long end at bit 62 in the firmware's specification.
        guard evidence.members.members.allSatisfy({ $0.value.integer ?? 0 >= 0 }) else { return nil }
        return ["attestation_report": .object(evidence.members), "cert_chain": chain(table)]
    }

    private init(report: [UInt8], isFlat: Bool) {
        self.report = report
        self.isFlat = isFlat
    }

    private mutating func fill() {
        let numbers: [(String, SNPField)] = [
            ("version", .version), ("guest_svn", .guestSVN), ("policy", .guestPolicy), ("vmpl", .vmpl),
            ("sig_algo", .signatureAlgorithm), ("plat_info", .platformInfo),
            (isFlat ? "_author_key_en" : "key_info", .keyInfo),
        ]
        for (name, field) in numbers { members[name] = number(field.range) }
        let lists: [(String, SNPField)] = [
            ("family_id", .familyID), ("image_id", .imageID), ("report_data", .reportData), ("measurement", .measurement),
            ("host_data", .hostData), ("id_key_digest", .idKeyDigest), ("author_key_digest", .authorKeyDigest),
            ("report_id", .reportID), ("report_id_ma", .migrationAgentReportID), ("chip_id", .chipID),
        ]
        for (name, field) in lists { members[name] = list(field.range) }
        let versions: [(String, SNPField)] = [
            ("current_tcb", .currentTCB), ("reported_tcb", .reportedTCB), ("committed_tcb", .committedTCB),
            ("launch_tcb", .launchTCB),
        ]
        for (name, field) in versions { members[name] = tcb(field.range.lowerBound) }
        members["signature"] = ["r": list(SNPField.signatureR.range), "s": list(SNPField.signatureS.range)]
        if isFlat { fillReserved() } else { fillGroups() }
    }

    private mutating func fillReserved() {
        members["_reserved_0"] = number(0x04C..<0x050)
        members["_reserved_1"] = list(0x188..<0x1A0)
        members["_reserved_2"] = number(0x1EB..<0x1EC)
        members["_reserved_3"] = number(0x1EF..<0x1F0)
        members["_reserved_4"] = list(0x1F8..<0x2A0)
        for (name, field) in firmware {
            for (part, value) in parts(field) { members["\(name)_\(part)"] = value }
        }
    }

    private mutating func fillGroups() {
        let version = report[SNPField.version.range.lowerBound]
        let optional: [(String, SNPField, since: UInt8)] = [
            ("cpuid_fam_id", .family, 3), ("cpuid_mod_id", .model, 3), ("cpuid_step", .stepping, 3),
            ("launch_mit_vector", .launchMitigations, 5), ("current_mit_vector", .currentMitigations, 5),
        ]
        for (name, field, since) in optional { members[name] = version < since ? .null : number(field.range) }
        for (name, field) in firmware {
            var group: JSONObject = [:]
            for (part, value) in parts(field) { group[part] = value }
            members[name] = .object(group)
        }
    }

    private let firmware: [(String, SNPField)] = [("current", .currentFirmware), ("committed", .committedFirmware)]

    private func parts(_ field: SNPField) -> [(String, JSON)] {
        let start = field.range.lowerBound
        return [("build", byte(start)), ("minor", byte(start + 1)), ("major", byte(start + 2))]
    }

    private func tcb(_ start: Int) -> JSON {
        // Since Turin the bytes stand elsewhere.
        if !isFlat && report[SNPField.family.range.lowerBound] >= 0x1A {
            return [
                "fmc": byte(start), "bootloader": byte(start + 1), "tee": byte(start + 2), "snp": byte(start + 3),
                "microcode": byte(start + 7),
            ]
        }
        return [
            "bootloader": byte(start), "tee": byte(start + 1), "snp": byte(start + 6), "microcode": byte(start + 7),
            isFlat ? "_reserved" : "fmc": isFlat ? list(start + 2..<start + 6) : .null,
        ]
    }

    private func byte(_ place: Int) -> JSON { .integer(Int64(report[place])) }

    /// Little-endian, at most 8 bytes; negative where the topmost bit of 64 is set.
    private func number(_ range: Range<Int>) -> JSON {
        .integer(report[range].reversed().reduce(0) { $0 << 8 | Int64($1) })
    }

    private func list(_ range: Range<Int>) -> JSON { Self.list(report[range]) }

    private static func list(_ bytes: ArraySlice<UInt8>) -> JSON { .array(bytes.map { .integer(Int64($0)) }) }

    /// What the host gave beside its own is of no use to a server.
    private static func chain(_ table: SNPCertificateTable) -> JSON {
        let kinds: [(String, SNPCertificateTable.Kind)] = [("ARK", .ark), ("ASK", .ask), ("VCEK", .vcek), ("VLEK", .vlek)]
        let chain: [JSON] = kinds.compactMap { name, kind in
            table[kind].map { ["cert_type": .string(name), "data": list($0[...])] }
        }
        return chain.isEmpty ? .null : .array(chain)
    }
}
