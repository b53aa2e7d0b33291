// SPDX-License-Identifier: Apache-2.0
public import PinKit
internal import TEE

/// What a simulated TDX guest and its platform look like. The defaults are a plain guest that a sensible policy accepts.
public struct TDXSettings: Sendable {
    /// SHA-384 of a sentence, 48 bytes: what anybody can compute.
    public static let defaultMRTD = Digest.sha384(Array("cvm-tee-sim: the firmware of no image".utf8))
    /// What the guest's firmware and kernel extend, each the digest of a sentence.
    static let defaultLog = EventLog(
        events: [
            (0, "EV_PLATFORM_CONFIG_FLAGS", "cvm-tee-sim: the configuration of no firmware"),
            (1, "EV_EFI_BOOT_SERVICES_APPLICATION", "cvm-tee-sim: the kernel of no image"),
            (2, "EV_EVENT_TAG", "cvm-tee-sim: the initrd and command line of no image"),
        ].map { rtmr, type, sentence in
            let data = Array(sentence.utf8)
            return EventLog.Event(
                rtmr: rtmr, type: EventType(name: type) ?? .noAction, digest: Digest.sha384(data), data: data)
        })
    /// What ``defaultLog`` gives, and zero for the last.
    public static let defaultRTMRs = defaultLog.replay
    /// A policy for `tdx-attest` that the default guest meets: firmware, kernel, initrd and command line are named.
    public static let examplePolicy: JSON = [
        "covers": ["firmware", "kernel", "initrd", "cmdline"],
        "mrtd": [.string(Base64URL.encode(defaultMRTD))],
        "rtmr1": [.string(Base64URL.encode(defaultRTMRs[1]))],
        "rtmr2": [.string(Base64URL.encode(defaultRTMRs[2]))],
    ]
    /// 16 bytes: the only platform that the simulated authority knows, by its PPID.
    public static let defaultPPID = Array(Digest.sha256(Array("cvm-tee-sim: the identifier of no platform".utf8)).prefix(16))
    /// 6 bytes, `sim` and zeros: the kind of platform that the simulated collateral is for.
    public static let fmspc: [UInt8] = [0x73, 0x69, 0x6d, 0, 0, 0]

    /// Of the quote: 4 or 5. A quote of version 5 has the body of TDX 1.5.
    public var version: UInt16 = 4
    /// 48 bytes each.
    public var mrTD = TDXSettings.defaultMRTD
    public var rtmrs = TDXSettings.defaultRTMRs
    public var mrConfigID = [UInt8](repeating: 0, count: 48)
    public var mrOwner = [UInt8](repeating: 0, count: 48)
    public var mrOwnerConfig = [UInt8](repeating: 0, count: 48)
    /// TD_ATTRIBUTES: SEPT_VE_DISABLE, and no debugging.
    public var attributes: UInt64 = 1 << 28
    /// The processor features of a Sapphire Rapids guest.
    public var xfam: UInt64 = 0x6_02e7
    /// 48 bytes: the TDX module. Its signer is Intel, 48 zeros.
    public var mrSEAM = Digest.sha384(Array("cvm-tee-sim: no TDX module".utf8))
    /// 16 bytes: TDX module 1.5, and the loader's version.
    public var teeTCB = SimulatedTCB.upToDate.tdx
    /// 16 bytes: versions of the platform's parts, for which its PCK was derived.
    public var components = SimulatedTCB.upToDate.sgx
    public var pceSVN = SimulatedTCB.upToDate.pceSVN
    /// 16 bytes.
    public var ppid = TDXSettings.defaultPPID
    /// Version of the quoting enclave.
    public var qeSVN: UInt16 = SimulatedTCB.qeSVN
    /// Zero bytes behind the quote, as some firmware leaves them.
    public var padding = 0
    public var flaws = TDXFlaws()

    public init() {}

    /// Settings that no quote can carry are an error here, not a wrong quote later.
    func check() throws(SimulatorError) {
        var widths: [(name: String, count: Int, expected: Int)] = [
            ("MRTD", mrTD.count, 48), ("MRCONFIGID", mrConfigID.count, 48), ("MROWNER", mrOwner.count, 48),
            ("MROWNERCONFIG", mrOwnerConfig.count, 48), ("MRSEAM", mrSEAM.count, 48), ("RTMRs", rtmrs.count, 4),
            ("TEE TCB", teeTCB.count, 16), ("components", components.count, 16), ("PPID", ppid.count, 16),
        ]
        for (index, rtmr) in rtmrs.enumerated() { widths.append(("RTMR\(index)", rtmr.count, 48)) }
        for (name, count, expected) in widths where count != expected {
            throw SimulatorError("\(name): \(count) bytes given, \(expected) expected")
        }
        guard version == 4 || version == 5 else { throw SimulatorError("quote version \(version): 4 or 5 expected") }
        guard 0...4096 ~= padding else { throw SimulatorError("\(padding) bytes of padding: at most 4096 expected") }
    }
}

/// What to get wrong in a quote's proof, for a verifier that must notice.
public struct TDXFlaws: Sendable, Equatable {
    /// Seconds from now to the start and the end of the PCK certificate's validity: since yesterday, for seven years.
    public var notBefore = -86_400
    public var notAfter = 7 * 365 * 86_400
    /// The PCK certificate is the one that the simulated revocation list names.
    public var hasRevokedPCK = false
    /// The quote is signed by a key that the quoting enclave's report is not about.
    public var swapsAttestationKey = false
    /// The quoting enclave is another signer's.
    public var hasForeignQE = false

    public init() {}
}

/// The levels that the simulated TCB info knows.
enum SimulatedTCB {
    struct Level {
        /// 16 versions each.
        let sgx: [UInt8]
        let tdx: [UInt8]
        let pceSVN: UInt16
        let date: String
        let status: String
        let advisories: [String]
    }

    static let upToDate = Level(
        sgx: [2, 2, 2, 2, 3, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0], tdx: [5, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        pceSVN: 13, date: "2025-02-12T00:00:00Z", status: "UpToDate", advisories: [])

    static let levels = [
        upToDate,
        Level(
            sgx: [2, 2, 2, 2, 3, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0], tdx: upToDate.tdx, pceSVN: 13,
            date: "2025-02-12T00:00:00Z", status: "SWHardeningNeeded", advisories: ["INTEL-SA-00615"]),
        Level(
            sgx: [1, 1, 2, 1, 2, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0], tdx: [3, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            pceSVN: 11, date: "2023-08-09T00:00:00Z", status: "OutOfDate", advisories: ["INTEL-SA-00960", "INTEL-SA-00982"]),
    ]

    /// Of the TDX module of major version 1.
    static let moduleSVN = 5
    static let qeSVN: UInt16 = 4
    static let evaluation = 18
    static let pceID: [UInt8] = [0, 0]
}
