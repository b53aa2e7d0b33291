// SPDX-License-Identifier: Apache-2.0

/// Some secrets in a row: `[SecretBytes]`, which Swift does not have, because an array's elements can be copied.
public struct Shares: ~Copyable, Sendable {
    private final class Share: Sendable {
        let secret: SecretBytes
        init(_ secret: consuming SecretBytes) { self.secret = secret }
    }

    private var shares: [Share] = []

    public init() {}

    public var count: Int { shares.count }

    public mutating func append(_ secret: consuming SecretBytes) { shares.append(Share(secret)) }

    /// Lends the secret at `index`, which must be in `0..<count`.
    public func withShare<R: ~Copyable, E: Error>(
        _ index: Int, _ body: (borrowing SecretBytes) throws(E) -> R
    ) throws(E) -> R {
        try body(shares[index].secret)
    }
}
