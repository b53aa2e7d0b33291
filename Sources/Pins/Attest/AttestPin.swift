// SPDX-License-Identifier: Apache-2.0
public import BrokerProtocol
package import KBSClient
public import PinKit

/// A secret that the owner's broker gives to a guest whose evidence meets the policy (mode *sealed*): `snp-attest` on AMD
/// SEV-SNP, `tdx-attest` on Intel TDX. The two differ in evidence and policy only.
///
/// `snp-attest` has a mode *derived* beside that, `{"mode":"derived"}`, in which the firmware derives the key and no broker is
/// asked: ``DerivedEncryptor`` and ``DerivedOpener``, docs/spec/pins.md §7. Both have a mode *kbs*, in which the key is a resource
/// of a server that speaks the KBS protocol, ours or a Trustee: ``ResourceEncryptor``, docs/spec/pins.md §9.
///
/// Binding needs the broker's public key only and works anywhere; recovering asks the hardware for a report and the broker for
/// the share. Configuration: `{"url":"https://…","broker":{public JWK},"tls":"…"?,"policy":{…}}`, usually from the owner's
/// defaults. Format and exchange: docs/spec/envelope.md.
public struct AttestPin: BatchPin {
    /// Turns an owner's policy into what goes into the envelope: the same demands without what is the default anyway, since a
    /// token has little room. Throws unless the broker will understand it; `place` of its error is seen from the policy.
    public typealias PolicyReader = @Sendable (JSON, Platform) throws(JSONError) -> JSON

    public let platform: Platform
    private let readPolicy: PolicyReader
    private let reporter: any EvidenceReporter
    private let transport: any Transport
    private let deriver: any KeyDeriver

    /// - Parameter readPolicy: who binds reads the whole policy with the code that will judge it. A guest binds nothing and
    ///   does not carry that code.
    public init(_ platform: Platform, readPolicy: @escaping PolicyReader = AttestPin.statesCoverage) {
        self.init(
            platform, reporter: KernelReporter(platform), transport: HTTPTransport(), readPolicy: readPolicy)
    }

    package init(
        _ platform: Platform, reporter: any EvidenceReporter, transport: any Transport,
        deriver: any KeyDeriver = KernelDeriver(),
        readPolicy: @escaping PolicyReader = AttestPin.statesCoverage
    ) {
        self.platform = platform
        self.reporter = reporter
        self.transport = transport
        self.deriver = deriver
        self.readPolicy = readPolicy
    }

    public var name: String { platform.pin }

    /// The least that any policy has: an object that says what its measurement covers.
    public static let statesCoverage: PolicyReader = { (policy, _) throws(JSONError) in
        guard policy["covers"]?.array != nil else { throw JSONError(place: "covers", problem: "is missing") }
        return policy
    }

    public func encryptor(for configuration: JSON, in binding: Binding) throws(PinError) -> any Encryptor {
        if configuration["mode"]?.string == ResourceParameters.mode {
            return ResourceEncryptor(
                terms: try ResourceConfiguration(configuration), platform: platform, reporter: reporter, transport: transport
            )
        }
        if platform == .snp, configuration["mode"] != nil {
            return DerivedEncryptor(terms: try DerivedConfiguration(configuration), deriver: deriver)
        }
        let terms = try AttestConfiguration(configuration, of: platform, readPolicy)
        guard let owner = binding.owner else {
            throw PinError(
                .malformed, step: "owner's key",
                detail: "an envelope is signed by its owner and this binding has none; make a key with: cvm-clevis init")
        }
        return EnvelopeEncryptor(platform: platform, terms: terms, owner: owner, id: binding.id, issuedAt: binding.issuedAt)
    }

    public func decrypt(_ messages: [JWE], in run: Run, deliver: (Int, consuming Recovered) -> Void) {
        var (asking, derived): ([(index: Int, message: JWE)], [(index: Int, message: JWE)]) = ([], [])
        for (index, message) in messages.enumerated() {
            if platform == .snp, DerivedOpener.opens(message) {
                derived.append((index, message))
            } else {
                asking.append((index, message))
            }
        }
        DerivedOpener(deriver: deriver, deadline: run.deadline).open(derived, deliver)
        if !asking.isEmpty { recover(asking, before: run.deadline, deliver) }
    }

    private func recover(
        _ messages: [(index: Int, message: JWE)], before deadline: Deadline,
        _ deliver: (Int, consuming Recovered) -> Void
    ) {
        // First of all: where a policy has a pin for each TEE, all but one of them end here and cost nothing.
        do throws(PinError) {
            try reporter.requirePlatform()
        } catch {
            for (index, _) in messages { deliver(index, .failure(error.at("report"))) }
            return
        }
        transport.prepare()
        // One after another: each broker's report is another one, and hosts limit how fast a guest may ask for them.
        let sealed = messages.filter { !ResourceParameters.are(in: $0.message) }
        for request in requests(sealed, deliver) { recover(request, before: deadline, deliver) }
        let guest = KBSGuest(platform, reporter: reporter, transport: transport, before: deadline)
        guest.open(resources(messages.filter { ResourceParameters.are(in: $0.message) }, deliver), deliver: deliver)
    }

    private func resources(
        _ messages: [(index: Int, message: JWE)], _ deliver: (Int, consuming Recovered) -> Void
    ) -> [ResourceMessage] {
        var resources: [ResourceMessage] = []
        for (index, message) in messages {
            do throws(PinError) {
                let parameters = try ResourceParameters(message, of: platform)
                resources.append(
                    ResourceMessage(
                        index: index, message: message, servers: [parameters.terms.server],
                        resource: parameters.terms.resource
                    ) { (resource) throws(PinError) in try parameters.contentKey(from: resource) })
            } catch {
                deliver(index, .failure(error))
            }
        }
        return resources
    }

    private func requests(
        _ messages: [(index: Int, message: JWE)], _ deliver: (Int, consuming Recovered) -> Void
    ) -> [Exchange.Request] {
        var requests: [Exchange.Request] = []
        for (index, message) in messages {
            do throws(PinError) {
                let envelope = try Envelope(message)
                guard envelope.header.platform == platform else {
                    throw PinError(.malformed, step: "read an envelope", detail: "it is \(envelope.header.platform.pin)'s")
                }
                Exchange.Request.add(envelope, at: index, to: &requests)
            } catch {
                deliver(index, .failure(error))
            }
        }
        return requests
    }

    private func recover(
        _ request: Exchange.Request, before deadline: Deadline, _ deliver: (Int, consuming Recovered) -> Void
    ) {
        let exchange = Exchange(request, on: platform, reporter: reporter, transport: transport, deadline: deadline)
        do throws(PinError) {
            let answers = try exchange.run()
            for (position, index) in request.indices.enumerated() {
                deliver(index, Recovered { () throws(PinError) in try answers.share(at: position) })
            }
        } catch {
            for index in request.indices { deliver(index, .failure(error)) }
        }
    }
}

private struct EnvelopeEncryptor: Encryptor {
    let platform: Platform
    let terms: AttestConfiguration
    let owner: SigningKey
    let id: String
    let issuedAt: Int64

    func encrypt(_ secret: borrowing SecretBytes) throws(PinError) -> JWE {
        try Envelope.seal(
            secret, to: terms.broker, by: owner, platform: platform, id: id, issuedAt: issuedAt, policy: terms.policy,
            tls: terms.tls, url: terms.url
        ).message
    }
}
