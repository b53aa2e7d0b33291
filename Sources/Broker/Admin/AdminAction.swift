// SPDX-License-Identifier: Apache-2.0
package import PinKit

/// What an administrator can call for over HTTP; the name stands in the audit log.
package enum AdminAction: String, Sendable, CaseIterable {
    case auditList = "audit-list"
    case ownerEnrol = "owner-enrol"
    case ownerList = "owner-list"
    case policyGet = "policy-get"
    case policyPut = "policy-put"
    case publicGet = "public-get"
    case refvaluesList = "refvalues-list"
    case refvaluesPut = "refvalues-put"
    case resourceDelete = "resource-delete"
    case resourceGet = "resource-get"
    case resourceList = "resource-list"
    case resourcePut = "resource-put"
    case revoke = "revoke"
    case revocationList = "revocation-list"
    // The KBS protocol's own.
    case kbsPolicyGet = "kbs-policy-get"
    case kbsPolicyPut = "kbs-policy-put"
    case kbsUnsupported = "kbs-unsupported"

    /// What a token must be for; nil where any that is in force will do.
    var scope: AdminScope? {
        switch self {
        case .auditList: .audit
        case .ownerEnrol, .ownerList: .owner
        case .policyGet, .policyPut, .resourceDelete, .resourceGet, .resourceList, .resourcePut: .resource
        case .kbsPolicyGet, .kbsPolicyPut: .resource
        case .refvaluesList, .refvaluesPut: .refvalues
        case .revoke, .revocationList: .revoke
        case .publicGet, .kbsUnsupported: nil
        }
    }
}

/// One call, as it came over HTTP.
package struct AdminCall: Sendable {
    package let action: AdminAction
    /// What stands behind `Bearer` in `Authorization`; nil where nothing does.
    package let token: String?
    /// SHA-256 of the SubjectPublicKeyInfo of the certificate that the client showed; nil where it showed none.
    package let clientPin: [UInt8]?
    package let remote: String
    /// What the last parts of the path are that differ from call to call, with `/` between.
    package let target: String
    package let query: [String: String]
    /// Header `Cvm-Clevis-Policy`.
    package let policy: String?
    package let body: HeldSecret

    package init(
        _ action: AdminAction, token: String?, clientPin: [UInt8]? = nil, remote: String, target: String = "",
        query: [String: String] = [:], policy: String? = nil, body: HeldSecret = HeldSecret(SecretBytes(copyingPublic: []))
    ) {
        self.action = action
        self.token = token
        self.clientPin = clientPin
        self.remote = remote
        self.target = target
        self.query = query
        self.policy = policy
        self.body = body
    }
}

/// The answer to one.
package struct AdminAnswer: Sendable {
    package let body: JSON
    package let decisions: [AuditEntry]
    /// Covers them; nil where they are not in the audit log.
    package let head: AuditHead?
}

/// A secret that several may look at, and that is wiped with the last.
package final class HeldSecret: Sendable {
    package let bytes: SecretBytes

    package init(_ bytes: consuming SecretBytes) { self.bytes = bytes }

    /// For a body that is no secret.
    var array: [UInt8] { unsafe bytes.withUnsafeBytes { unsafe [UInt8]($0) } }
}
