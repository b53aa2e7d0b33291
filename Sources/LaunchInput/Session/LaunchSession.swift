// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// An owner's side of a launch (SEV API, LAUNCH_START): what goes to the hypervisor so that the firmware of one platform, and
/// nobody else, gets the session's keys.
public struct LaunchSession: ~Copyable, Sendable {
    public let keys: SessionKeys
    /// The owner's Diffie-Hellman certificate, 2084 bytes: QEMU's `dh-cert-file`, in base64 there.
    public let certificate: [UInt8]
    /// Nonce 16, wrapped keys 32, iv 16, their MAC 32, the policy's MAC 32: QEMU's `session-file`, in base64 there.
    public let session: [UInt8]

    /// `policy`: bit 0 no debugging, 1 no sharing of keys, 2 SEV-ES, 3 no sending away, 4 domain, 5 SEV only; bits 16 and up
    /// the lowest firmware API, minor version above major.
    public init(with platform: PlatformChain, policy: UInt32) throws(PinError) {
        let secrets = try OneTime(key: .generate(), nonce: Random.bytes(16), iv: Random.bytes(16))
        try self.init(keys: .generate(), secrets, peer: platform.pdh, policy: policy)
    }

    /// What is made anew for each session.
    struct OneTime {
        let key: P384Key
        let nonce: [UInt8]
        let iv: [UInt8]
    }

    init(keys: consuming SessionKeys, _ oneTime: OneTime, peer: P384PublicKey, policy: UInt32) throws(PinError) {
        let master = try oneTime.key.agree(with: peer).derive("sev-master-secret", context: oneTime.nonce)
        let encryption = try master.derive("sev-kek")
        let integrity = try master.derive("sev-kik")
        let wrapped = try encryption.encrypt(keys.tek.appending(keys.tik), iv: oneTime.iv)
        session =
            try oneTime.nonce + wrapped + oneTime.iv + integrity.mac(wrapped) + keys.tik.mac(policy.littleEndianBytes)
        certificate = SEVCertificate.unsignedAgreement(oneTime.key.publicKey)
        self.keys = keys
    }
}
