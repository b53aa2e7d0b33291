// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol
internal import PinKit

/// The configuration of ``AttestPin``, read: to which broker, and what it is to ask of the guest.
struct AttestConfiguration: Sendable {
    let url: BrokerURL
    let broker: PublicKey
    let tls: [UInt8]?
    let policy: JSON

    init(
        _ configuration: JSON, of platform: Platform, _ readPolicy: AttestPin.PolicyReader
    ) throws(PinError) {
        let step = "configuration"
        if let object = configuration.object {
            for (name, remedy) in AttestConfiguration.remedies(platform) where object[name] == nil {
                throw PinError(.malformed, step: step, detail: "\(name) is missing; \(remedy)")
            }
        }
        do throws(JSONError) {
            try self.init(reading: configuration, of: platform, readPolicy)
        } catch {
            throw PinError(.malformed, step: step, detail: error.description)
        }
    }

    /// What each member without a default comes from. All of them are usually in the defaults file that `init` makes.
    private static func remedies(_ platform: Platform) -> [(String, String)] {
        let policy = platform == .snp ? "--policy" : "--tdx-policy"
        return [
            ("url", "take the broker's file as the default: cvm-clevis init --broker public.json"),
            ("broker", "take the broker's file as the default: cvm-clevis init --broker public.json"),
            ("policy", "make a default policy with: cvm-clevis init --broker public.json \(policy) policy.json"),
        ]
    }

    private init(
        reading configuration: JSON, of platform: Platform, _ readPolicy: AttestPin.PolicyReader
    ) throws(JSONError) {
        var reader = try JSONReader(configuration)
        url = try BrokerURL(try reader.string("url"), at: "url")
        broker = try PublicKey(jwk: try reader.required("broker"), at: "broker")
        tls = try reader.optionalTLSPins("tls")
        let demands = try reader.required("policy")
        guard demands.object != nil else { throw reader.error(at: "policy", "must be an object") }
        try reader.finish()
        do throws(JSONError) {
            policy = try readPolicy(demands, platform)
        } catch {
            throw JSONError(place: error.place.isEmpty ? "policy" : "policy.\(error.place)", problem: error.problem)
        }
    }
}
