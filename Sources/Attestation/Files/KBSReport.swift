// SPDX-License-Identifier: Apache-2.0
internal import PinKit
internal import TEE

/// The SNP evidence of KBS clients: not the report, but what a library of theirs read from it, field by field. Written back
/// into the report's bytes, since those were signed.
///
/// Three layouts are about. **A** (protocols up to 0.2.0) is flat and has the reserved fields; **B** (0.4.0, Trustee 0.14)
/// groups versions and names the CPUID; **C** (0.4.0, from Trustee 0.15) adds the mitigation vectors.
struct KBSReport {
    enum Layout: String {
        case a = "A"
        case b = "B"
        case c = "C"
    }

    private var bytes = [UInt8](repeating: 0, count: SNPReport.byteCount)
    private var reader: JSONReader
    private let layout: Layout

    /// `{"attestation_report":{…},"cert_chain":null or [{"cert_type":…,"data":[…]}]}`
    static func read(_ json: JSON) throws(JSONError) -> (layout: String, report: [UInt8], table: SNPCertificateTable) {
        var reader = try JSONReader(json)
        var report = try KBSReport(reader.required("attestation_report"))
        let chain = reader.optional("cert_chain") ?? .null
        try reader.finish()
        try report.fill()
        return (report.layout.rawValue, report.bytes, try table(chain))
    }

    private init(_ json: JSON) throws(JSONError) {
        self.reader = try JSONReader(json, at: "attestation_report")
        self.layout = json["_author_key_en"] != nil ? .a : json["launch_mit_vector"] != nil ? .c : .b
    }

    private mutating func fill() throws(JSONError) {
        try put("version", .version)
        try put("guest_svn", .guestSVN)
        try put("policy", .guestPolicy)
        for (name, field) in Self.byteFields { try putBytes(name, at: field.range) }
        try put("vmpl", .vmpl)
        try put("sig_algo", .signatureAlgorithm)
        try put("plat_info", .platformInfo)
        try put(layout == .a ? "_author_key_en" : "key_info", .keyInfo)
        if layout == .a { try fillReserved() } else { try fillGroups() }
        for (name, field) in Self.tcbFields { try putTCB(name, field) }
        try putSignature()
        try reader.finish()
    }

    private static let byteFields: [(String, SNPField)] = [
        ("family_id", .familyID), ("image_id", .imageID), ("report_data", .reportData), ("measurement", .measurement),
        ("host_data", .hostData), ("id_key_digest", .idKeyDigest), ("author_key_digest", .authorKeyDigest),
        ("report_id", .reportID), ("report_id_ma", .migrationAgentReportID), ("chip_id", .chipID),
    ]
    private static let tcbFields: [(String, SNPField)] = [
        ("current_tcb", .currentTCB), ("reported_tcb", .reportedTCB), ("committed_tcb", .committedTCB),
        ("launch_tcb", .launchTCB),
    ]

    /// Layout A: what has no name of its own, and versions as three members each.
    private mutating func fillReserved() throws(JSONError) {
        try put("_reserved_0", 0x04C..<0x050)
        try putBytes("_reserved_1", at: 0x188..<0x1A0)
        for (name, start) in [("current", 0x1E8), ("committed", 0x1EC)] {
            for (index, part) in ["build", "minor", "major"].enumerated() {
                try put("\(name)_\(part)", start + index..<start + index + 1)
            }
        }
        try put("_reserved_2", 0x1EB..<0x1EC)
        try put("_reserved_3", 0x1EF..<0x1F0)
        try putBytes("_reserved_4", at: 0x1F8..<0x2A0)
    }

    /// Layouts B and C: a version is an object; what a report before its time does not have is null.
    private mutating func fillGroups() throws(JSONError) {
        for (name, field) in [("cpuid_fam_id", SNPField.family), ("cpuid_mod_id", .model), ("cpuid_step", .stepping)] {
            try put(name, field.range, orNull: true)
        }
        for (name, field) in [("current", SNPField.currentFirmware), ("committed", .committedFirmware)] {
            var version = try reader.reader(name)
            for (index, part) in ["build", "minor", "major"].enumerated() {
                bytes[field.range.lowerBound + index] = UInt8(try version.integer(part, in: 0...255))
            }
            try version.finish()
        }
        guard layout == .c else { return }
        try put("launch_mit_vector", SNPField.launchMitigations.range, orNull: true)
        try put("current_mit_vector", SNPField.currentMitigations.range, orNull: true)
    }

    private mutating func putTCB(_ name: String, _ field: SNPField) throws(JSONError) {
        var tcb = try reader.reader(name)
        let start = field.range.lowerBound
        let isTurin = layout != .a && bytes[SNPField.family.range.lowerBound] >= 0x1A
        let places =
            isTurin
            ? [("fmc", 0), ("bootloader", 1), ("tee", 2), ("snp", 3), ("microcode", 7)]
            : [("bootloader", 0), ("tee", 1), ("snp", 6), ("microcode", 7)]
        for (part, index) in places { bytes[start + index] = UInt8(try tcb.integer(part, in: 0...255)) }
        if layout == .a {
            bytes.replaceSubrange(start + 2..<start + 6, with: try tcb.byteList("_reserved", count: 4))
        } else if !isTurin, try tcb.required("fmc") != .null {
            throw tcb.error(at: "fmc", "must be null before Turin")
        }
        try tcb.finish()
    }

    private mutating func putSignature() throws(JSONError) {
        var signature = try reader.reader("signature")
        for (name, field) in [("r", SNPField.signatureR), ("s", .signatureS)] {
            field.put(try signature.byteList(name, count: field.range.count), into: &bytes)
        }
        try signature.finish()
    }

    // MARK: - One field

    private mutating func put(_ name: String, _ field: SNPField) throws(JSONError) { try put(name, field.range) }

    /// An integer, little-endian, as wide as `range`. JSON's end at 2^63, and so do the fields that are read here.
    private mutating func put(_ name: String, _ range: Range<Int>, orNull: Bool = false) throws(JSONError) {
        if orNull, try reader.required(name) == .null { return }
        let maximum = range.count < 8 ? Int64(1) << Int64(8 * range.count) - 1 : Int64.max
        let value = try reader.integer(name, in: 0...maximum)
        for (index, place) in range.enumerated() { bytes[place] = UInt8(truncatingIfNeeded: value >> Int64(8 * index)) }
    }

    private mutating func putBytes(_ name: String, at range: Range<Int>) throws(JSONError) {
        bytes.replaceSubrange(range, with: try reader.byteList(name, count: range.count))
    }
}

// MARK: - The certificates that come along

extension KBSReport {
    private static let kinds: [String: SNPCertificateTable.Kind] = [
        "VCEK": .vcek, "VLEK": .vlek, "ASK": .ask, "ARK": .ark,
    ]

    /// CRLs and what has another name are nobody's business here.
    private static func table(_ json: JSON) throws(JSONError) -> SNPCertificateTable {
        guard json != .null else { return SNPCertificateTable(entries: []) }
        guard let list = json.array, list.count <= SNPCertificateTable.maximumEntryCount else {
            throw JSONError(place: "cert_chain", problem: "must be null or a list of certificates")
        }
        var entries: [SNPCertificateTable.Entry] = []
        for (index, item) in list.enumerated() {
            var reader = try JSONReader(item, at: "cert_chain[\(index)]")
            let type = try reader.required("cert_type")
            let data = try reader.byteList("data", count: nil)
            try reader.finish()
            guard let kind = type.string.flatMap({ kinds[$0] }) else { continue }
            guard !entries.contains(where: { $0.kind == kind }) else {
                throw reader.error(at: "cert_type", "is there twice")
            }
            entries.append(SNPCertificateTable.Entry(kind: kind, bytes: data))
        }
        return SNPCertificateTable(entries: entries)
    }
}

extension JSONReader {
    /// An array of bytes as numbers: `count` of them where it is given, else as many as a host's certificates may have.
    mutating func byteList(_ name: String, count: Int?) throws(JSONError) -> [UInt8] {
        let numbers = try array(name)
        guard numbers.count <= count ?? SNPCertificateTable.maximumByteCount, numbers.count >= count ?? 0 else {
            throw error(at: name, "has \(numbers.count) numbers")
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(numbers.count)
        for number in numbers {
            guard let value = number.integer, 0...255 ~= value else { throw error(at: name, "must hold bytes: 0 to 255") }
            bytes.append(UInt8(value))
        }
        return bytes
    }
}
