// SPDX-License-Identifier: Apache-2.0
internal import CTSS2
internal import PinKit

extension TPM {
    /// The key under which objects are sealed.
    func load(_ parent: Parent) throws(PinError) -> ESYS_TR {
        switch parent {
        case .primary(let primary): try createPrimary(primary.template)
        case .storageRoot: try storageRoot()
        }
    }

    /// nameAlg and the hash of the public area of `key`; what a session with it is salted with.
    func name(of key: ESYS_TR) throws(PinError) -> [UInt8] {
        var name = [UInt8](repeating: 0, count: 68)
        var count = 0
        try stack.check(unsafe cvm_tss2_name(stack.functions, context, key, &name, &count), "Esys_TR_GetName")
        return Array(name.prefix(count))
    }

    /// Objects loaded under another key than a storage key of this very TPM could be anybody's.
    private func storageRoot() throws(PinError) -> ESYS_TR {
        var key: ESYS_TR = 0xfff  // ESYS_TR_NONE
        do throws(PinError) {
            try stack.check(
                unsafe cvm_tss2_persistent(stack.functions, context, TPM.storageRootHandle, &key), "TPM2_ReadPublic")
        } catch {
            guard error == PinError(.failed) else { throw error }
            throw PinError(
                .unavailable, step: "find the storage root key",
                detail: "nothing is at 0x81000001; systemd-tpm2-setup makes it, or \(TPM.provisioning); \(error.detail)")
        }
        var area = [UInt8](repeating: 0, count: 1024)
        var count = 0
        let code = unsafe cvm_tss2_public(stack.functions, context, key, &area, &count, area.count)
        try stack.check(code, "TPM2_ReadPublic")
        let attributes = area[6..<10].reduce(0 as UInt32) { $0 << 8 | UInt32($1) }
        guard attributes & TPM.storageAttributes.mask == TPM.storageAttributes.value else {
            throw PinError(
                .refused, step: "find the storage root key",
                detail: "what is at 0x81000001 is no restricted decryption key that was made in this TPM")
        }
        return key
    }

    private static let storageRootHandle: UInt32 = 0x8100_0001
    private static let provisioning =
        "tpm2_createprimary -C o -G ecc -c srk -a 'restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|"
        + "userwithauth|noda' && tpm2_evictcontrol -C o -c srk 0x81000001"
    /// Of fixedTPM, fixedParent, sensitiveDataOrigin, restricted, decrypt and sign all but the last.
    private static let storageAttributes = (mask: 0x0007_0032 as UInt32, value: 0x0003_0032 as UInt32)
}
