// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import TEESimulator

/// What a simulated TDX guest looks like. Bytes are given in hexadecimal, in the order in which they stand in the quote.
struct TDXOptions: ParsableArguments {
    @Option(help: ArgumentHelp("MRTD, 48 bytes.", valueName: "hex"))
    var mrtd: Bytes?

    @Option(help: ArgumentHelp("RTMR0, 48 bytes; the other three likewise.", valueName: "hex"))
    var rtmr0: Bytes?

    @Option(help: .hidden) var rtmr1: Bytes?

    @Option(help: .hidden) var rtmr2: Bytes?

    @Option(help: .hidden) var rtmr3: Bytes?

    @Option(help: ArgumentHelp("MRCONFIGID, 48 bytes.", valueName: "hex"))
    var mrconfigid: Bytes?

    @Option(help: ArgumentHelp("MROWNER, 48 bytes.", valueName: "hex"))
    var mrowner: Bytes?

    @Option(help: ArgumentHelp("MROWNERCONFIG, 48 bytes.", valueName: "hex"))
    var mrownerconfig: Bytes?

    @Option(help: ArgumentHelp("MRSEAM, 48 bytes.", valueName: "hex"))
    var mrseam: Bytes?

    @Option(help: ArgumentHelp("TD_ATTRIBUTES as a number: 10000000, with debugging 10000001.", valueName: "hex"))
    var tdAttributes: Number?

    @Option(help: ArgumentHelp("TEE_TCB_SVN, 16 bytes: the module's version first.", valueName: "hex"))
    var teeTcb: Bytes?

    @Option(help: ArgumentHelp("Versions of the platform's 16 parts, by which its PCK is made.", valueName: "hex"))
    var components: Bytes?

    @Option(help: ArgumentHelp("PPID, 16 bytes.", valueName: "hex"))
    var ppid: Bytes?

    @Option(help: ArgumentHelp("Version of the quoting enclave.", valueName: "n"))
    var qeSvn: UInt16?

    @Option(help: ArgumentHelp("Version of the quote: 4, or 5 with the report of TDX 1.5.", valueName: "n"))
    var quoteVersion: UInt16?

    @Option(help: ArgumentHelp("Zero bytes behind the quote.", valueName: "n"))
    var padding: Int?

    /// Whether any of these was given.
    var areUsed: Bool {
        let bytes = [
            mrtd, rtmr0, rtmr1, rtmr2, rtmr3, mrconfigid, mrowner, mrownerconfig, mrseam, teeTcb, components, ppid,
        ]
        return bytes.contains { $0 != nil } || tdAttributes != nil || qeSvn != nil || quoteVersion != nil || padding != nil
    }

    /// The defaults with what was given in their place; whether it fits is for the platform to say.
    var settings: TDXSettings {
        var settings = TDXSettings()
        settings.mrTD = mrtd?.value ?? settings.mrTD
        for (index, rtmr) in [rtmr0, rtmr1, rtmr2, rtmr3].enumerated() {
            settings.rtmrs[index] = rtmr?.value ?? settings.rtmrs[index]
        }
        settings.mrConfigID = mrconfigid?.value ?? settings.mrConfigID
        settings.mrOwner = mrowner?.value ?? settings.mrOwner
        settings.mrOwnerConfig = mrownerconfig?.value ?? settings.mrOwnerConfig
        settings.mrSEAM = mrseam?.value ?? settings.mrSEAM
        settings.attributes = tdAttributes?.value ?? settings.attributes
        settings.teeTCB = teeTcb?.value ?? settings.teeTCB
        settings.components = components?.value ?? settings.components
        settings.ppid = ppid?.value ?? settings.ppid
        settings.qeSVN = qeSvn ?? settings.qeSVN
        settings.version = quoteVersion ?? settings.version
        settings.padding = padding ?? settings.padding
        return settings
    }
}
