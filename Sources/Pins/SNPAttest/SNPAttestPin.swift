// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol
public import PinKit

/// A secret that the owner's broker gives to a guest whose SEV-SNP evidence meets the policy (mode *sealed*).
///
/// Binding needs the broker's public key only and works anywhere; recovering asks the hardware for a report and the broker for
/// the share. Configuration: `{"url":"https://…","broker":{public JWK},"tls":"…"?,"policy":{…}}`, usually from the owner's
/// defaults. Format and exchange: docs/spec/envelope.md.
public struct SNPAttestPin: BatchPin {
    /// Turns an owner's policy into what goes into the envelope: the same demands without what is the default anyway, since a
    /// token has little room. Throws unless the broker will understand it; `place` of its error is seen from the policy.
    public typealias PolicyReader = @Sendable (JSON) throws(JSONError) -> JSON

    public let name = "snp-attest"
    private let readPolicy: PolicyReader
    private let reporter: any EvidenceReporter
    private let transport: any Transport

    /// - Parameter readPolicy: who binds reads the whole policy with the code that will judge it. A guest binds nothing and
    ///   does not carry that code.
    public init(readPolicy: @escaping PolicyReader = SNPAttestPin.statesCoverage) {
        self.init(reporter: KernelReporter(), transport: HTTPTransport(), readPolicy: readPolicy)
    }

    package init(
        reporter: any EvidenceReporter, transport: any Transport,
        readPolicy: @escaping PolicyReader = SNPAttestPin.statesCoverage
    ) {
        self.reporter = reporter
        self.transport = transport
        self.readPolicy = readPolicy
    }

    /// The least that any policy has: an object that says what its measurement covers.
    public static let statesCoverage: PolicyReader = { (policy) throws(JSONError) in
        guard policy["covers"]?.array != nil else { throw JSONError(place: "covers", problem: "is missing") }
        return policy
    }

    public func encryptor(for configuration: JSON, in binding: Binding) throws(PinError) -> any Encryptor {
        let terms = try SNPAttestConfiguration(configuration, readPolicy)
        guard let owner = binding.owner else {
            throw PinError(
                .malformed, step: "owner's key",
                detail: "an envelope is signed by its owner and this binding has none; make a key with: cvm-clevis init")
        }
        return EnvelopeEncryptor(terms: terms, owner: owner, id: binding.id, issuedAt: binding.issuedAt)
    }

    public func decrypt(_ messages: [JWE], in run: Run, deliver: (Int, consuming Recovered) -> Void) {
        transport.prepare()
        var requests: [Exchange.Request] = []
        for (index, message) in messages.enumerated() {
            do throws(PinError) {
                Exchange.Request.add(try Envelope(message), at: index, to: &requests)
            } catch {
                deliver(index, .failure(error))
            }
        }
        // One after another: each broker's report is another one, and hosts limit how fast a guest may ask for them.
        for request in requests {
            recover(request, before: run.deadline, deliver)
        }
    }

    private func recover(
        _ request: Exchange.Request, before deadline: Deadline, _ deliver: (Int, consuming Recovered) -> Void
    ) {
        let exchange = Exchange(request, reporter: reporter, transport: transport, deadline: deadline)
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
    let terms: SNPAttestConfiguration
    let owner: SigningKey
    let id: String
    let issuedAt: Int64

    func encrypt(_ secret: borrowing SecretBytes) throws(PinError) -> JWE {
        try Envelope.seal(
            secret, to: terms.broker, by: owner, platform: .snp, id: id, issuedAt: issuedAt, policy: terms.policy,
            tls: terms.tls, url: terms.url
        ).message
    }
}
