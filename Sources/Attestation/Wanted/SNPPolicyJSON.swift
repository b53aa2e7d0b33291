// SPDX-License-Identifier: Apache-2.0
public import PinKit
internal import TEE

extension SNPPolicy {
    /// Throws for a member that is missing, unknown or not as specified, and for a policy that names no software.
    public init(json: JSON, at place: String = "policy") throws(JSONError) {
        var reader = try JSONReader(json, at: place)
        self.init(covers: try reader.optional("covers") == nil ? .everything : reader.coverage("covers"))
        reference = try reader.reference()
        try readSoftware(&reader)
        try readHost(&reader)
        try readPlatform(&reader)
        try readMinimums(&reader)
        try reader.finish()
        guard namesSoftware || reference != nil else {
            throw JSONError(
                place: place, problem: "names no software: give measurement, id_key_digest or reference")
        }
        guard reference == nil || measurements.isEmpty else {
            throw reader.error(at: "measurement", "and reference exclude each other: the measurements are in the set")
        }
    }

    /// The demands that a reference-value set makes: those that only ever add to a policy's.
    init(referenceValues json: JSON, covers: Coverage, at place: String) throws(JSONError) {
        var reader = try JSONReader(json, at: place)
        self.init(covers: covers)
        try readSoftware(&reader)
        try readMinimums(&reader)
        try reader.finish()
        guard namesSoftware else {
            throw JSONError(place: place, problem: "names no software: give measurement or id_key_digest")
        }
    }

    private var namesSoftware: Bool { !measurements.isEmpty || !idKeyDigests.isEmpty }

    private mutating func readSoftware(_ reader: inout JSONReader) throws(JSONError) {
        measurements = try reader.byteStrings("measurement", counts: [48])
        idKeyDigests = try reader.byteStrings("id_key_digest", counts: [48])
        authorKeyDigests = try reader.byteStrings("author_key_digest", counts: [48])
        familyID = try reader.optionalBase64URL("family_id", count: 16)
        imageID = try reader.optionalBase64URL("image_id", count: 16)
        guestSVN = try reader.optionalInteger("guest_svn", in: 0...Int64(UInt32.max)).map(UInt32.init)
    }

    private mutating func readHost(_ reader: inout JSONReader) throws(JSONError) {
        hostData = try reader.optionalBase64URL("host_data", count: 32)
        vmpl = UInt32(try reader.optionalInteger("vmpl", in: 0...3) ?? 0)
        allowsDebug = try reader.optionalBool("debug") ?? false
        allowsMigration = try reader.optionalBool("migrate") ?? false
        allowsSMT = try reader.optionalBool("smt") ?? true
        allowsCXL = try reader.optionalBool("cxl") ?? true
        allowsTIO = try reader.optionalBool("tio") ?? true
        guestPolicy = try reader.flags("guest_policy", SNPGuestPolicy.protections)
        if let parts = try reader.version("abi", parts: 2) { abi = ABIVersion(major: parts[0], minor: parts[1]) }
    }

    private mutating func readPlatform(_ reader: inout JSONReader) throws(JSONError) {
        products = try reader.products("product")
        chips = try reader.byteStrings("chip", counts: [64, 8])
        signingKeys = try reader.signingKeys("signing_key")
        providers = try reader.texts("provider")
        platformInfo = try reader.flags("platform", SNPPlatformInfo.protections)
    }

    private mutating func readMinimums(_ reader: inout JSONReader) throws(JSONError) {
        tcb = try reader.minimumTCBs("tcb")
        committedTCB = try reader.minimumTCBs("tcb_committed")
        launchTCB = try reader.minimumTCBs("tcb_launch")
        currentTCB = try reader.minimumTCBs("tcb_current")
        firmware = try reader.firmware("firmware")
        currentFirmware = try reader.firmware("firmware_current")
        mitigations = UInt64(try reader.optionalInteger("mitigations", in: 1...1 << 53) ?? 0)
    }
}

extension SNPPolicy {
    /// The policy without what is the default anyway. Reading it gives an equal policy.
    public var json: JSON {
        var members: JSONObject = [:]
        members["covers"] = covers == .everything ? nil : .names(of: covers, Coverage.names)
        members["reference"] = reference.map { .string($0.name) }
        members["reference_version"] = reference?.minimumVersion.map { .integer($0) }
        addSoftware(to: &members)
        addHost(to: &members)
        addPlatform(to: &members)
        addMinimums(to: &members)
        return .object(members)
    }

    /// The demands of a reference-value set (``init(referenceValues:covers:at:)``).
    var referenceValues: JSON {
        var members: JSONObject = [:]
        addSoftware(to: &members)
        addMinimums(to: &members)
        return .object(members)
    }

    private func addSoftware(to members: inout JSONObject) {
        members["measurement"] = .byteStrings(measurements)
        members["id_key_digest"] = .byteStrings(idKeyDigests)
        members["author_key_digest"] = .byteStrings(authorKeyDigests)
        members["family_id"] = familyID.map { .string(Base64URL.encode($0)) }
        members["image_id"] = imageID.map { .string(Base64URL.encode($0)) }
        members["guest_svn"] = guestSVN.map { .integer(Int64($0)) }
    }

    private func addHost(to members: inout JSONObject) {
        members["host_data"] = hostData.map { .string(Base64URL.encode($0)) }
        members["vmpl"] = vmpl == 0 ? nil : .integer(Int64(vmpl))
        members["debug"] = allowsDebug ? true : nil
        members["migrate"] = allowsMigration ? true : nil
        members["smt"] = allowsSMT ? nil : false
        members["cxl"] = allowsCXL ? nil : false
        members["tio"] = allowsTIO ? nil : false
        members["guest_policy"] = guestPolicy.isEmpty ? nil : .names(of: guestPolicy, SNPGuestPolicy.protections)
        members["abi"] = abi.map { .string($0.description) }
    }

    private func addPlatform(to members: inout JSONObject) {
        members["product"] = .texts(products.map(\.rawValue))
        members["chip"] = .byteStrings(chips)
        members["signing_key"] = .texts(signingKeys.map(\.memberName))
        members["provider"] = .texts(providers)
        members["platform"] = platformInfo.isEmpty ? nil : .names(of: platformInfo, SNPPlatformInfo.protections)
    }

    private func addMinimums(to members: inout JSONObject) {
        members["tcb"] = .minimumTCBs(tcb)
        members["tcb_committed"] = .minimumTCBs(committedTCB)
        members["tcb_launch"] = .minimumTCBs(launchTCB)
        members["tcb_current"] = .minimumTCBs(currentTCB)
        members["firmware"] = firmware.map { .string($0.description) }
        members["firmware_current"] = currentFirmware.map { .string($0.description) }
        members["mitigations"] = mitigations == 0 ? nil : .integer(Int64(clamping: mitigations))
    }
}
