// SPDX-License-Identifier: Apache-2.0
internal import CTSS2
internal import PinKit

/// One conversation with a TPM. What it loads into the TPM is flushed when it goes away, on every path.
@safe final class TPM {
    /// Most that a TPM seals: MAX_SYM_DATA.
    static let maximumSealed = 128

    private let stack: TSS2
    private let tcti: OpaquePointer
    private let context: OpaquePointer
    private var loaded: [ESYS_TR] = []

    /// - Parameter tcti: where the TPM is, as tss2 spells it: `device:/dev/tpmrm0`.
    init(at tcti: String) throws(PinError) {
        let stack = try TSS2.shared()
        var transport: OpaquePointer?
        try stack.check(unsafe cvm_tss2_tcti_initialize(stack.functions, tcti, &transport), "reach the TPM at \(tcti)")
        var context: OpaquePointer?
        do throws(PinError) {
            try stack.check(unsafe cvm_tss2_initialize(stack.functions, transport, &context), "Esys_Initialize")
        } catch {
            unsafe cvm_tss2_tcti_finalize(stack.functions, transport)
            throw error
        }
        guard let transport = unsafe transport, let context = unsafe context else {
            throw PinError(.failed, step: "Esys_Initialize", detail: "it gave no context")
        }
        self.stack = stack
        unsafe self.tcti = transport
        unsafe self.context = context
    }

    deinit {
        for handle in loaded.reversed() { unsafe cvm_tss2_flush(stack.functions, context, handle) }
        unsafe cvm_tss2_finalize(stack.functions, context)
        unsafe cvm_tss2_tcti_finalize(stack.functions, tcti)
    }

    /// The key that `template` always makes on this TPM.
    func createPrimary(_ template: [UInt8]) throws(PinError) -> ESYS_TR {
        var form = try publicHalf(template)
        return try keeping("TPM2_CreatePrimary") { unsafe cvm_tss2_create_primary(stack.functions, context, &form, &$0) }
    }

    func load(_ object: SealedObject, under parent: ESYS_TR) throws(PinError) -> ESYS_TR {
        var publicHalf = try publicHalf(object.publicHalf)
        var privateHalf = TPM2B_PRIVATE()
        guard unsafe cvm_tss2_read_private(stack.functions, object.privateHalf, object.privateHalf.count, &privateHalf) == 1
        else { throw SealedObject.malformed("jwk_priv is no TPM2B_PRIVATE") }
        return try keeping("TPM2_Load") {
            unsafe cvm_tss2_load(stack.functions, context, parent, &privateHalf, &publicHalf, &$0)
        }
    }

    /// A session salted with `key`, so that who watches the bus does not learn what it encrypts.
    func startSession(_ kind: SessionKind, hash: TPMHash, saltedWith key: ESYS_TR) throws(PinError) -> ESYS_TR {
        let session = try keeping("TPM2_StartAuthSession") {
            unsafe cvm_tss2_start_session(stack.functions, context, key, kind.type, hash.identifier, &$0)
        }
        let set = unsafe cvm_tss2_set_attributes(stack.functions, context, session, kind.attributes)
        try stack.check(set, "Esys_TRSess_SetAttributes")
        return session
    }

    /// Adds `selection` to the policy of `session`: with the values of `digest`, or those of now where it is empty.
    func require(_ selection: PCRSelection, digest: [UInt8] = [], in session: ESYS_TR) throws(PinError) {
        let code = unsafe cvm_tss2_policy_pcr(
            stack.functions, context, session, selection.bank.identifier, selection.bits, digest, digest.count)
        try stack.check(code, "TPM2_PolicyPCR")
    }

    func policyDigest(of session: ESYS_TR) throws(PinError) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 64)
        var count = 0
        let code = unsafe cvm_tss2_policy_digest(stack.functions, context, session, &digest, &count)
        try stack.check(code, "TPM2_PolicyGetDigest")
        return Array(digest.prefix(count))
    }

    /// A TPM silently leaves out of a policy what it does not have, so this must be asked first.
    func has(_ selection: PCRSelection) throws(PinError) -> Bool {
        var pcrs: UInt32 = 0
        let code = unsafe cvm_tss2_bank(stack.functions, context, selection.bank.identifier, &pcrs)
        try stack.check(code, "TPM2_GetCapability")
        return pcrs & selection.bits == selection.bits
    }

    /// At most ``maximumSealed`` bytes.
    func seal(
        _ secret: borrowing SecretBytes, as template: [UInt8], under parent: ESYS_TR, session: ESYS_TR
    ) throws(PinError) -> SealedObject {
        var form = try publicHalf(template)
        let room = 1024
        var (publicHalf, privateHalf) = ([UInt8](repeating: 0, count: room), [UInt8](repeating: 0, count: room))
        var (publicCount, privateCount) = (0, 0)
        let code = unsafe secret.withUnsafeBytes { bytes in
            defer { unsafe cvm_tss2_forget(stack.functions, context, bytes.baseAddress, bytes.count) }
            return unsafe cvm_tss2_create(
                stack.functions, context, parent, session, &form, bytes.baseAddress, bytes.count, &publicHalf, &publicCount,
                &privateHalf, &privateCount, room)
        }
        try stack.check(code, "TPM2_Create")
        return try SealedObject(
            publicHalf: Array(publicHalf.prefix(publicCount)), privateHalf: Array(privateHalf.prefix(privateCount)))
    }

    func unseal(_ object: ESYS_TR, session: ESYS_TR) throws(PinError) -> SecretBytes {
        var data: UnsafeMutablePointer<TPM2B_SENSITIVE_DATA>?
        try stack.check(unsafe cvm_tss2_unseal(stack.functions, context, object, session, &data), "TPM2_Unseal")
        guard let data = unsafe data else { throw PinError(.failed, step: "TPM2_Unseal", detail: "it gave no data") }
        defer { unsafe cvm_tss2_free_data(stack.functions, data) }
        let secret = unsafe withUnsafeBytes(of: &data.pointee.buffer) { buffer in
            unsafe SecretBytes(copying: UnsafeRawBufferPointer(rebasing: buffer.prefix(Int(data.pointee.size))))
        }
        unsafe secret.withUnsafeBytes { bytes in
            unsafe cvm_tss2_forget(stack.functions, context, bytes.baseAddress, bytes.count)
        }
        return secret
    }

    private func publicHalf(_ bytes: [UInt8]) throws(PinError) -> TPM2B_PUBLIC {
        var object = TPM2B_PUBLIC()
        guard unsafe cvm_tss2_read_public(stack.functions, bytes, bytes.count, &object) == 1 else {
            throw SealedObject.malformed("jwk_pub is no TPM2B_PUBLIC")
        }
        return object
    }

    /// Runs a command that makes a handle, and remembers the handle.
    private func keeping(_ step: String, _ command: (inout ESYS_TR) -> TSS2_RC) throws(PinError) -> ESYS_TR {
        var handle: ESYS_TR = 0xfff  // ESYS_TR_NONE
        try stack.check(command(&handle), step)
        loaded.append(handle)
        return handle
    }
}

/// What a session is for, and which first parameter it encrypts.
enum SessionKind {
    /// Encrypts what goes into the TPM.
    case sealing
    /// Encrypts what comes out.
    case unsealing
    /// Encrypts what comes out, and proves a policy.
    case policy
    /// Only computes a policy.
    case trial

    /// TPM2_SE.
    var type: UInt8 {
        switch self {
        case .sealing, .unsealing: 0x00
        case .policy: 0x01
        case .trial: 0x03
        }
    }

    /// TPMA_SESSION: continueSession, with decrypt (a command's parameter) or encrypt (a response's).
    var attributes: UInt8 {
        switch self {
        case .sealing: 0x21
        case .unsealing, .policy: 0x41
        case .trial: 0x01
        }
    }
}
