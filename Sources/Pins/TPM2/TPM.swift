// SPDX-License-Identifier: Apache-2.0
internal import CTSS2
internal import PinKit

/// One conversation with a TPM. What it loads into the TPM is flushed when it goes away, on every path.
@safe final class TPM {
    /// Most that a TPM seals: MAX_SYM_DATA.
    static let maximumSealed = 128

    let stack: TSS2
    private let tcti: OpaquePointer
    let context: OpaquePointer
    private var loaded: [ESYS_TR] = []

    /// - Parameter tcti: where the TPM is, as tss2 spells it: `device:/dev/tpmrm0`.
    init(at tcti: String) throws(PinError) {
        let stack = try TSS2.shared()
        let transport = unsafe try TPM.reach(tcti, stack)
        var context: OpaquePointer?
        do throws(PinError) {
            try stack.check(unsafe cvm_tss2_initialize(stack.functions, transport, &context), "Esys_Initialize")
        } catch {
            unsafe cvm_tss2_tcti_close(transport)
            throw error
        }
        guard let context = unsafe context else {
            throw PinError(.failed, step: "Esys_Initialize", detail: "it gave no context")
        }
        self.stack = stack
        unsafe self.tcti = transport
        unsafe self.context = context
    }

    /// `NAME` or `NAME:CONFIGURATION`, where a name with a dot or a slash is that of a library's file. What tss2's own loader does
    /// beyond that is to look for names in many folders.
    private static func reach(_ tcti: String, _ stack: TSS2) throws(PinError) -> OpaquePointer {
        let name = tcti.prefix { $0 != ":" }
        let isFile = name.utf8.contains { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "/") }
        let library = isFile ? String(name) : "libtss2-tcti-\(name).so.0"
        let configuration = tcti.dropFirst(name.count + 1)
        var code: TSS2_RC = 0
        let transport =
            unsafe configuration.isEmpty
            ? cvm_tss2_tcti_open(library, nil, &code) : cvm_tss2_tcti_open(library, String(configuration), &code)
        if let transport = unsafe transport { return unsafe transport }
        let step = "reach the TPM at \(tcti)"
        guard code == 0 else { throw stack.error(code, step) }
        throw PinError(.unavailable, step: step, detail: TSS2.loaderReason)
    }

    deinit {
        for handle in loaded.reversed() { unsafe cvm_tss2_flush(stack.functions, context, handle) }
        unsafe cvm_tss2_finalize(stack.functions, context)
        unsafe cvm_tss2_tcti_close(tcti)
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

    /// A TPM silently leaves out of a policy what it does not have, so this must be asked first.
    func has(_ selection: PCRSelection) throws(PinError) -> Bool {
        var pcrs: UInt32 = 0
        let code = unsafe cvm_tss2_bank(stack.functions, context, selection.bank.identifier, &pcrs)
        try stack.check(code, "TPM2_GetCapability")
        return pcrs & selection.bits == selection.bits
    }

    /// At most ``maximumSealed`` bytes, with an auth value of at most 32, which may be empty.
    func seal(
        _ secret: borrowing SecretBytes, auth: borrowing SecretBytes, as template: [UInt8], under parent: ESYS_TR,
        session: ESYS_TR
    ) throws(PinError) -> SealedObject {
        var form = try publicHalf(template)
        let room = 1024
        var (publicHalf, privateHalf) = ([UInt8](repeating: 0, count: room), [UInt8](repeating: 0, count: room))
        var (publicCount, privateCount) = (0, 0)
        let code = unsafe secret.withUnsafeBytes { secret in
            unsafe auth.withUnsafeBytes { auth in
                unsafe cvm_tss2_create(
                    stack.functions, context, parent, session, &form, secret.baseAddress, secret.count, auth.baseAddress,
                    auth.count, &publicHalf, &publicCount, &privateHalf, &privateCount, room)
            }
        }
        forget(secret)
        forget(auth)
        try stack.check(code, "TPM2_Create")
        return try SealedObject(
            publicHalf: Array(publicHalf.prefix(publicCount)), privateHalf: Array(privateHalf.prefix(privateCount)))
    }

    /// `auth`: what the object was sealed with, proved in the session's HMAC and so never sent.
    func unseal(
        _ object: ESYS_TR, auth: borrowing SecretBytes, session: ESYS_TR
    ) throws(UnsealFailure) -> SecretBytes {
        var data: UnsafeMutablePointer<TPM2B_SENSITIVE_DATA>?
        let code = unsafe auth.withUnsafeBytes { auth in
            let set = unsafe cvm_tss2_set_auth(stack.functions, context, object, auth.baseAddress, auth.count)
            return unsafe set == 0 ? cvm_tss2_unseal(stack.functions, context, object, session, &data) : set
        }
        if !auth.isEmpty {
            unsafe cvm_tss2_drop_auth(stack.functions, context, object, session)
            forget(auth)
        }
        guard code == 0, let data = unsafe data else { throw UnsealFailure(code, stack.error(code, "TPM2_Unseal")) }
        defer { unsafe cvm_tss2_free_data(stack.functions, data) }
        let secret = unsafe withUnsafeBytes(of: &data.pointee.buffer) { buffer in
            unsafe SecretBytes(copying: UnsafeRawBufferPointer(rebasing: buffer.prefix(Int(data.pointee.size))))
        }
        forget(secret)
        return secret
    }

    /// Overwrites what the last command left of `secret`. (By a function that the secret reached no deeper than.)
    private func forget(_ secret: borrowing SecretBytes) {
        unsafe secret.withUnsafeBytes { bytes in
            unsafe cvm_tss2_forget(stack.functions, context, bytes.baseAddress, bytes.count)
        }
    }

    func publicHalf(_ bytes: [UInt8]) throws(PinError) -> TPM2B_PUBLIC {
        var object = TPM2B_PUBLIC()
        guard unsafe cvm_tss2_read_public(stack.functions, bytes, bytes.count, &object) == 1 else {
            throw SealedObject.malformed("jwk_pub is no TPM2B_PUBLIC")
        }
        return object
    }

    /// Runs a command that makes a handle, and remembers the handle.
    func keeping(_ step: String, _ command: (inout ESYS_TR) -> TSS2_RC) throws(PinError) -> ESYS_TR {
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

/// An object that the TPM did not give back, and what its answer means beyond the kind of error.
struct UnsealFailure: Error {
    enum Answer {
        /// The auth value is wrong (TPM_RC_AUTH_FAIL, TPM_RC_BAD_AUTH).
        case authFails
        /// The policy was not met (TPM_RC_POLICY_FAIL).
        case policyFails
        case other
    }

    let answer: Answer
    let error: PinError

    init(_ code: TSS2_RC, _ error: PinError) {
        self.error = error
        // Errors about an argument: the number of the handle or session is above these bits.
        switch code & 0x80 == 0 ? 0 : code & 0xbf {
        case 0x8e, 0xa2: answer = .authFails
        case 0x9d: answer = .policyFails
        default: answer = .other
        }
    }
}
