// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import PinKit
import TEE
import TEESimulator

/// What a simulated SEV-SNP guest looks like. Bytes are given in hexadecimal, in the order in which they stand in the report.
struct SNPOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Launch measurement, 48 bytes.", valueName: "hex"))
    var measurement: Bytes?

    @Option(help: ArgumentHelp("HOST_DATA, 32 bytes.", valueName: "hex"))
    var hostData: Bytes?

    @Option(help: ArgumentHelp("CHIP_ID, 64 bytes.", valueName: "hex"))
    var chip: Bytes?

    @Option(help: ArgumentHelp("All four TCB versions, 8 bytes: bl tee 0 0 0 0 snp ucode.", valueName: "hex"))
    var tcb: Bytes?

    @Option(help: ArgumentHelp("The reported TCB version alone, by which the VCEK is made.", valueName: "hex"))
    var reportedTcb: Bytes?

    @Option(help: ArgumentHelp("The VMPL reported, 0 to 3.", valueName: "n"))
    var vmpl: UInt32?

    @Option(help: ArgumentHelp("Guest policy as a number: 30000, with debugging b0000.", valueName: "hex"))
    var policy: Number?

    @Option(help: ArgumentHelp("PLATFORM_INFO as a number.", valueName: "hex"))
    var platformInfo: Number?

    @Option(help: ArgumentHelp("Security version of the ID block.", valueName: "n"))
    var guestSvn: UInt32?

    @Option(help: ArgumentHelp("FAMILY_ID, 16 bytes.", valueName: "hex"))
    var familyId: Bytes?

    @Option(help: ArgumentHelp("IMAGE_ID, 16 bytes.", valueName: "hex"))
    var imageId: Bytes?

    @Option(help: ArgumentHelp("ID_KEY_DIGEST, 48 bytes.", valueName: "hex"))
    var idKeyDigest: Bytes?

    @Option(help: ArgumentHelp("AUTHOR_KEY_DIGEST, 48 bytes.", valueName: "hex"))
    var authorKeyDigest: Bytes?

    @Option(help: ArgumentHelp("Version of the report: 2, 3 or 5.", valueName: "n"))
    var reportVersion: UInt32?

    @Flag(help: "Sign with a VLEK, as in clouds that load keys of their own into chips.")
    var vlek = false

    /// Whether any of these was given.
    var areUsed: Bool {
        let bytes = [
            measurement, hostData, chip, tcb, reportedTcb, familyId, imageId, idKeyDigest, authorKeyDigest,
        ]
        let numbers = [vmpl.map(UInt64.init), policy?.value, platformInfo?.value, guestSvn.map(UInt64.init)]
        return vlek || reportVersion != nil || bytes.contains { $0 != nil } || numbers.contains { $0 != nil }
    }

    /// The defaults with what was given in their place; whether it fits is for the platform to say.
    var settings: SNPSettings {
        var settings = SNPSettings()
        if let tcb { settings.tcb = SNPTrustedBase(tcb.value) }
        settings.tcb.reported = reportedTcb?.value ?? settings.tcb.reported
        settings.measurement = measurement?.value ?? settings.measurement
        settings.hostData = hostData?.value ?? settings.hostData
        settings.chip = chip?.value ?? settings.chip
        settings.familyID = familyId?.value ?? settings.familyID
        settings.imageID = imageId?.value ?? settings.imageID
        settings.idKeyDigest = idKeyDigest?.value ?? settings.idKeyDigest
        settings.authorKeyDigest = authorKeyDigest?.value ?? settings.authorKeyDigest
        settings.vmpl = vmpl ?? settings.vmpl
        settings.policy = policy?.value ?? settings.policy
        settings.platformInfo = platformInfo?.value ?? settings.platformInfo
        settings.guestSVN = guestSvn ?? settings.guestSVN
        settings.version = reportVersion ?? settings.version
        if vlek { settings.signingKey = .vlek }
        return settings
    }
}
