// SPDX-License-Identifier: Apache-2.0
package import PinKit
internal import TEE

// Evidence that was found genuine, as its verifier keeps it until the guest asks again: all that policies look at, in some
// 1 KiB. Whoever can write this can pretend to be any guest, so it is only ever read from where nobody else could write: out of
// a seal.

extension GenuineSNP {
    /// Bytes of a report that its signature covers. The signature itself is not kept: nobody looks at it again.
    private static let signedCount = 0x2A0

    package var kept: JSON {
        var members: JSONObject = [
            "certificate": .string(Base64URL.encode(certificateDigest)), "checked": .bool(isRevocationChecked),
            "key": .integer(Int64(signingKey.rawValue)), "product": .string(product.rawValue),
            "report": .string(Base64URL.encode(report.raw.prefix(Self.signedCount))), "simulated": .bool(isSimulated),
        ]
        members["provider"] = provider.map { .string($0) }
        return .object(members)
    }

    package init(kept json: JSON) throws(JSONError) {
        var reader = try JSONReader(json)
        let signed = try reader.base64URL("report", count: Self.signedCount)
        let padding = [UInt8](repeating: 0, count: SNPReport.byteCount - Self.signedCount)
        guard let report = try? SNPReport(parsing: signed + padding) else { throw reader.error(at: "report", "is none") }
        guard let product = SNPProduct(rawValue: try reader.string("product")) else {
            throw reader.error(at: "product", "is none")
        }
        guard let signingKey = SNPSigningKey(rawValue: UInt8(try reader.integer("key", in: 0...255))) else {
            throw reader.error(at: "key", "is none")
        }
        self.report = report
        self.product = product
        self.signingKey = signingKey
        certificateDigest = try reader.base64URL("certificate", count: 32)
        provider = try reader.optionalString("provider")
        isSimulated = try reader.optionalBool("simulated") ?? false
        isRevocationChecked = try reader.optionalBool("checked") ?? false
        try reader.finish()
    }
}

extension GenuineTDX {
    /// Without the event log, which is longer than all else together: who reads this back finds none.
    package var kept: JSON {
        var members: JSONObject = [
            "advisories": .array(advisories.map { .string($0) }),
            "certificate": .string(Base64URL.encode(certificateDigest)),
            "evaluation": .integer(Int64(tcbEvaluation)), "fmspc": .string(Base64URL.encode(fmspc)),
            "platform": .string(platformStatus.rawValue), "ppid": .string(Base64URL.encode(ppid)),
            "qe": .string(qeStatus.rawValue), "report": .string(Base64URL.encode(report.raw)),
            "simulated": .bool(isSimulated), "since": .integer(tcbDate), "status": .string(tcbStatus.rawValue),
        ]
        members["module"] = moduleStatus.map { .string($0.rawValue) }
        return .object(members)
    }

    package init(kept json: JSON) throws(JSONError) {
        var reader = try JSONReader(json)
        guard let report = TDReport(try reader.base64URL("report")) else { throw reader.error(at: "report", "is none") }
        self.report = report
        eventLog = nil
        ppid = try reader.base64URL("ppid", count: 16)
        fmspc = try reader.base64URL("fmspc", count: 6)
        certificateDigest = try reader.base64URL("certificate", count: 32)
        isSimulated = try reader.optionalBool("simulated") ?? false
        tcbStatus = try reader.status("status")
        platformStatus = try reader.status("platform")
        moduleStatus = try reader.optional("module") == nil ? nil : reader.status("module")
        qeStatus = try reader.status("qe")
        tcbDate = try reader.integer("since", in: 0...Int64.max)
        tcbEvaluation = Int(try reader.integer("evaluation", in: 0...Int64(Int32.max)))
        advisories = try reader.strings("advisories")
        validities = []
        try reader.finish()
    }
}

extension JSONReader {
    fileprivate mutating func status(_ name: String) throws(JSONError) -> TCBStatus {
        guard let status = TCBStatus(rawValue: try string(name)) else { throw error(at: name, "is no status") }
        return status
    }
}
