// SPDX-License-Identifier: Apache-2.0
internal import Attestation
internal import BrokerProtocol
internal import PinKit

/// What the store knows about one envelope at the moment of a decision.
struct Standing: Sendable {
    /// nil where nobody of that thumbprint is enrolled.
    let owner: Owner?
    let isBindingRevoked: Bool
    let isChipRevoked: Bool
    /// The newest set of the name that the policy has, by the owner that the header names; nil where there is none.
    let references: SignedReferenceSet?
}

extension Store {
    /// One entry per header, nil for nil, all seen at the same moment. `chip`: CHIP_ID or PPID in base64url.
    func standings(of headers: [EnvelopeHeader?], chip: String) throws(BrokerError) -> [Standing?] {
        try read("look up owners") { transaction in
            let everywhere = try Store.isRevoked(.chip(chip, owner: nil), transaction)
            return try headers.map { header in
                guard let header else { return nil }
                let name = header.policy["reference"]?.string
                return Standing(
                    owner: try Store.owner(thumbprint: header.owner, transaction),
                    isBindingRevoked: try Store.isRevoked(.binding(header.id, owner: header.owner), transaction),
                    isChipRevoked: try everywhere || Store.isRevoked(.chip(chip, owner: header.owner), transaction),
                    references: try name.flatMap { try Store.references(named: $0, of: header.owner, transaction) })
            }
        }
    }
}
