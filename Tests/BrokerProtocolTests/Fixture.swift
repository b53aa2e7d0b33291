// SPDX-License-Identifier: Apache-2.0
import BrokerProtocol
import PinKit

/// An owner, a broker and a guest, and an envelope between them.
struct Fixture {
    let owner: SigningKey
    let broker: AgreementKey
    let guest: AgreementKey
    let share: [UInt8] = Array(0..<32)

    init() throws {
        owner = try .generate()
        broker = try .generate()
        guest = try .generate()
    }

    /// A policy as `init` writes it for one product: one measurement, all four parts covered, one minimum TCB.
    static let policy: JSON = [
        "covers": ["firmware", "kernel", "initrd", "cmdline"],
        "measurement": [.string(Base64URL.encode([UInt8](repeating: 0xa5, count: 48)))],
        "tcb": ["genoa": "0a00000000001754"],
    ]

    func seal(
        _ share: [UInt8]? = nil, by signer: SigningKey? = nil, url: String = "https://broker.example.org:8443",
        policy: JSON = Fixture.policy, platform: Platform = .snp
    ) throws -> Envelope {
        try Envelope.seal(
            SecretBytes(copyingPublic: share ?? self.share), to: broker.publicKey, by: signer ?? owner,
            platform: platform, id: Base64URL.encode(try Random.bytes(16)), issuedAt: 1_790_000_000, policy: policy,
            tls: [UInt8](repeating: 0x5a, count: 32), url: try BrokerURL(url))
    }
}

extension SecretBytes {
    /// A copy that a test can compare.
    borrowing func revealed() -> [UInt8] { unsafe withUnsafeBytes { unsafe [UInt8]($0) } }
}
