// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL

/// The oldest entry of this thread's OpenSSL error queue in words, and an empty queue.
package func opensslReason() -> String {
    let code = ERR_get_error()
    ERR_clear_error()
    guard code != 0, let reason = unsafe ERR_reason_error_string(code) else { return "libcrypto gave no reason" }
    return unsafe String(cString: reason)
}
