// SPDX-License-Identifier: Apache-2.0

/// What a token may do over HTTP (docs/spec/broker.md §9.1).
public enum AdminScope: String, Sendable, CaseIterable {
    /// Read the owner's part of the audit log.
    case audit
    /// Enrol owners and list them: an operator's token only, which can do nothing else.
    case owner
    /// Put reference sets in and list them.
    case refvalues
    /// Put, list and remove resources and the default policy.
    case resource
    /// Revoke and list what is revoked.
    case revoke

    /// What an owner's token may have.
    public static let ofOwners = allCases.filter { $0 != .owner }
}
