// SPDX-License-Identifier: Apache-2.0
import AttestPin
import PinKit

/// An owner's broker, and a pin that reaches it and no other.
struct Site {
    let broker: FakeBroker
    let tls: [UInt8]
    let pin: AttestPin
    let binding: Binding
    let configuration: JSON

    init(
        _ owner: SigningKey, _ platform: FakePlatform, _ manner: FakeBroker.Manner = .honest, tls: UInt8 = 0,
        like other: Site? = nil
    ) throws {
        self.broker = try other?.broker ?? FakeBroker(owner: owner.publicKey, platform: platform, manner: manner)
        self.tls = [UInt8](repeating: tls, count: 32)
        self.pin = AttestPin(
            platform.platform, reporter: platform, transport: BrokerNetwork(brokers: [self.tls: broker]))
        self.binding = try Binding(issuedAt: 1_790_000_000, owner: owner, registry: PinRegistry([pin]))
        self.configuration = [
            "url": "https://b.example.org", "broker": broker.key.publicKey.jwk, "tls": .string(Base64URL.encode(self.tls)),
            "policy": [
                "covers": ["firmware", "kernel", "initrd", "cmdline"],
                "measurement": [.string(Base64URL.encode([UInt8](repeating: 7, count: 48)))],
            ],
        ]
    }

    func encryptor(_ configuration: JSON) throws -> any Encryptor { try pin.encryptor(for: configuration, in: binding) }

    func bind(_ secret: [UInt8]) throws -> JWE {
        try encryptor(configuration).encrypt(SecretBytes(copyingPublic: secret))
    }

    func recover(_ messages: [JWE]) -> [Settled] { Settled.all(messages, by: pin) }
}

/// A ``Recovered`` that can be kept and compared.
struct Settled {
    private(set) var secret: [UInt8]?
    private(set) var error: PinError?

    init(_ recovered: consuming Recovered) {
        switch consume recovered {
        case .secret(let secret): self.secret = unsafe secret.withUnsafeBytes { unsafe [UInt8]($0) }
        case .failure(let error): self.error = error
        }
    }

    /// What became of each message; traps when one was delivered twice or never.
    static func all(_ messages: [JWE], by pin: AttestPin) -> [Settled] {
        var settled = [Settled?](repeating: nil, count: messages.count)
        let run = Run(registry: PinRegistry([pin]), deadline: .after(seconds: 10))
        pin.decrypt(messages, in: run) { index, recovered in
            precondition(settled[index] == nil, "message \(index) was delivered twice")
            settled[index] = Settled(recovered)
        }
        return settled.map { $0! }
    }
}
