// SPDX-License-Identifier: Apache-2.0
internal import CTSS2
internal import CTSS2Contexts
internal import Glibc
internal import PinKit

/// The TPM software stack, opened at run time and never closed: its functions, one table for the process.
@safe final class TSS2: @unchecked Sendable {
    let functions: UnsafeMutablePointer<cvm_tss2>

    private static let opened = Result { () throws(PinError) in try TSS2() }

    /// `.unavailable` where this system has no tss2; the same answer for the life of the process.
    static func shared() throws(PinError) -> TSS2 { try opened.get() }

    private init() throws(PinError) {
        // To be ready when the stack is, which takes as long to load.
        _ = startWorker {
            cvm_tss2_prepare_context()
            AESGCM.prepare()
        }
        let functions = UnsafeMutablePointer<cvm_tss2>.allocate(capacity: 1)
        unsafe functions.initialize(to: cvm_tss2())
        guard unsafe cvm_tss2_open(functions) == 1 else {
            unsafe functions.deallocate()
            throw PinError(
                .unavailable, step: "open the TPM software stack",
                detail: "\(TSS2.loaderReason); on Debian libtss2-esys-3.0.2-0 and libtss2-rc0 bring it")
        }
        unsafe self.functions = functions
    }

    deinit { unsafe functions.deallocate() }

    /// Why the latest library was not opened.
    static var loaderReason: String { unsafe dlerror().map { unsafe String(cString: $0) } ?? "dlopen gave no reason" }

    /// Throws unless `code` says that `step` went well.
    func check(_ code: TSS2_RC, _ step: String) throws(PinError) {
        guard code != 0 else { return }
        throw error(code, step)
    }

    func error(_ code: TSS2_RC, _ step: String) -> PinError {
        let text = unsafe cvm_tss2_decode(code).map { unsafe String(cString: $0) } ?? "no text"
        return PinError(TSS2.meaning(of: code), step: step, detail: "\(text) (0x\(String(code, radix: 16)))")
    }

    /// What a return code means to somebody who has other pins to try (TPM 2.0 part 2, 6.6; TSS 2.0 overview, 6.2).
    static func meaning(of code: TSS2_RC) -> PinError.Code {
        let layer = code >> 16
        switch layer {
        case 0, 11, 12: return meaning(ofTPM: code & 0xffff)
        // tcti: no TPM, or none that answers.
        case 10: return .unavailable
        default: return .failed
        }
    }

    private static func meaning(ofTPM code: TSS2_RC) -> PinError.Code {
        let isAboutAnArgument = code & 0x80 != 0
        switch isAboutAnArgument ? code & 0xbf : code {
        case 0x9d /* POLICY_FAIL */, 0x8e /* AUTH_FAIL */, 0xa2 /* BAD_AUTH */, 0x9f /* INTEGRITY */, 0x9b /* SIGNATURE */:
            return .refused
        case 0x12f /* AUTH_UNAVAILABLE */: return .refused
        case 0x100 /* INITIALIZE */, 0x900...0x97f /* warnings: busy, full, locked out */: return .unavailable
        default: return .failed
        }
    }
}
