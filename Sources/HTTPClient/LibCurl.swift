// SPDX-License-Identifier: Apache-2.0
internal import CCurl
internal import Glibc
package import PinKit

/// libcurl, opened at run time and never closed: its functions, one table for the process.
@safe package final class LibCurl: @unchecked Sendable {
    let functions: UnsafeMutablePointer<cvm_curl>

    private static let opened = Result { () throws(PinError) in try LibCurl(named: "libcurl.so.4") }

    /// `.unavailable` where this system has no libcurl; the same answer for the life of the process.
    static func shared() throws(PinError) -> LibCurl { try opened.get() }

    package init(named name: String) throws(PinError) {
        let functions = UnsafeMutablePointer<cvm_curl>.allocate(capacity: 1)
        unsafe functions.initialize(to: cvm_curl())
        guard unsafe cvm_curl_open(functions, name) == 1 else {
            unsafe functions.deallocate()
            let reason = unsafe dlerror().map { unsafe String(cString: $0) } ?? "dlopen gave no reason"
            throw PinError(
                .unavailable, step: "open \(name)", detail: "\(reason); on Debian the package libcurl4 brings it")
        }
        guard unsafe cvm_curl_global_init(functions) == CURLE_OK else {
            unsafe functions.deallocate()
            throw PinError(.failed, step: "curl_global_init", detail: "libcurl gave no reason")
        }
        unsafe self.functions = functions
    }

    deinit { unsafe functions.deallocate() }

    func text(of code: CURLcode) -> String { unsafe String(cString: cvm_curl_easy_strerror(functions, code)) }
}
