// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol
internal import PinKit

/// The configuration of ``SNPAttestPin``, read: to which broker, and what it is to ask of the guest.
struct SNPAttestConfiguration: Sendable {
    let url: BrokerURL
    let broker: PublicKey
    let tls: [UInt8]?
    let policy: JSON

    init(_ configuration: JSON, _ check: SNPAttestPin.PolicyCheck) throws(PinError) {
        let step = "configuration"
        if let object = configuration.object {
            for (name, remedy) in SNPAttestConfiguration.remedies where object[name] == nil {
                throw PinError(.malformed, step: step, detail: "\(name) is missing; \(remedy)")
            }
        }
        do throws(JSONError) {
            try self.init(reading: configuration, check)
        } catch {
            throw PinError(.malformed, step: step, detail: error.description)
        }
    }

    /// What each member without a default comes from. All of them are usually in the defaults file that `init` makes.
    private static let remedies = [
        ("url", "take the broker's file as the default: cvm-clevis init --broker public.json"),
        ("broker", "take the broker's file as the default: cvm-clevis init --broker public.json"),
        ("policy", "make a default policy with: cvm-clevis init --broker public.json --policy policy.json"),
    ]

    private init(reading configuration: JSON, _ check: SNPAttestPin.PolicyCheck) throws(JSONError) {
        var reader = try JSONReader(configuration)
        url = try BrokerURL(try reader.string("url"), at: "url")
        broker = try PublicKey(jwk: try reader.required("broker"), at: "broker")
        tls = try reader.optionalBase64URL("tls", count: 32)
        policy = try reader.required("policy")
        guard policy.object != nil else { throw reader.error(at: "policy", "must be an object") }
        try reader.finish()
        do throws(JSONError) {
            try check(policy)
        } catch {
            throw JSONError(place: error.place.isEmpty ? "policy" : "policy.\(error.place)", problem: error.problem)
        }
    }
}
