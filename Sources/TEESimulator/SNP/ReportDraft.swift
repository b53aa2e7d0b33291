// SPDX-License-Identifier: Apache-2.0
internal import TEE

/// A report under construction: written field by field, signed last.
struct ReportDraft {
    private(set) var bytes = [UInt8](repeating: 0, count: SNPField.reportSize)

    /// Everything but the signature. `vmpl` is the level the report is asked for.
    init(_ settings: SNPSettings, vmpl: UInt32, reportData: [UInt8], reportID: [UInt8]) {
        put(settings.version, .version)
        put(vmpl, .vmpl)
        put(1, .signatureAlgorithm)  // ECDSA on P-384 with SHA-384
        put(reportData, .reportData)
        put(reportID, .reportID)
        put([UInt8](repeating: 0xff, count: 32), .migrationAgentReportID)  // no migration agent
        putGuest(settings)
        putPlatform(settings)
    }

    private mutating func putGuest(_ settings: SNPSettings) {
        put(settings.guestSVN, .guestSVN)
        put(settings.policy, .guestPolicy)
        put(settings.familyID, .familyID)
        put(settings.imageID, .imageID)
        put(settings.measurement, .measurement)
        put(settings.hostData, .hostData)
        put(settings.idKeyDigest, .idKeyDigest)
        put(settings.authorKeyDigest, .authorKeyDigest)
        // AUTHOR_KEY_EN and SIGNING_KEY; the chip's key is not masked.
        let authorKey: UInt64 = settings.authorKeyDigest.contains { $0 != 0 } ? 1 : 0
        put(authorKey | UInt64(settings.signingKey.rawValue) << 2, .keyInfo)
    }

    private mutating func putPlatform(_ settings: SNPSettings) {
        put(settings.platformInfo, .platformInfo)
        put(settings.tcb.current, .currentTCB)
        put(settings.tcb.reported, .reportedTCB)
        put(settings.tcb.committed, .committedTCB)
        put(settings.tcb.launch, .launchTCB)
        put([21, 55, 1], .currentFirmware)  // build, minor, major
        put([21, 55, 1], .committedFirmware)
        if settings.signingKey == .vcek { put(settings.chip, .chipID) }
        if settings.version >= 3 {
            put([0x19], .family)
            put([0x11], .model)
            put([0x01], .stepping)
        }
        if settings.version >= 5 {
            put(0x0b, .launchMitigations)  // as a real Genoa had them
            put(0x0b, .currentMitigations)
        }
    }

    /// What changes afterwards is what a verifier must notice.
    mutating func sign(with key: SimulatedKey) throws(SimulatorError) {
        let signature = try key.reportSignature(over: SNPField.signed.bytes(of: bytes))
        put(signature.r, .signatureR)
        put(signature.s, .signatureS)
    }

    /// `offset` must be one of a report's.
    mutating func flip(at offset: Int) { bytes[offset] ^= 1 }

    private mutating func put(_ value: [UInt8], _ field: SNPField) { field.put(value, into: &bytes) }

    private mutating func put(_ value: some UnsignedInteger, _ field: SNPField) { field.put(UInt64(value), into: &bytes) }

    private mutating func put(_ value: UInt64, _ field: SNPField) { field.put(value, into: &bytes) }
}
