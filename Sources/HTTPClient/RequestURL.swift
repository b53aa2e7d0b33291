// SPDX-License-Identifier: Apache-2.0
internal import CCurl
internal import Glibc
internal import PinKit

/// An address as libcurl itself has parsed it, so that what was checked is what is contacted.
@safe struct RequestURL: ~Copyable {
    private let curl: LibCurl
    let handle: OpaquePointer

    /// `step` is what an error says was being done.
    init(_ text: String, _ curl: LibCurl, step: String) throws(PinError) {
        guard let handle = unsafe cvm_curl_url(curl.functions) else {
            throw PinError(.failed, step: "curl_url", detail: "out of memory")
        }
        guard unsafe cvm_curl_url_set(curl.functions, handle, text) == CURLUE_OK else {
            unsafe cvm_curl_url_cleanup(curl.functions, handle)
            throw PinError(.malformed, step: step, detail: "not an address that libcurl can read")
        }
        self.curl = curl
        unsafe self.handle = handle
    }

    deinit { unsafe cvm_curl_url_cleanup(curl.functions, handle) }

    /// Whether it leads through TLS.
    var isEncrypted: Bool { part(CURLUPART_SCHEME) == "https" }

    /// Whether it leads to this machine: a loopback address, or the name that libcurl never looks up.
    var isLoopback: Bool {
        guard let host = part(CURLUPART_HOST) else { return false }
        if host == "localhost" || host == "[::1]" { return true }
        var address = in_addr()
        // 127.0.0.0/8 (RFC 1122 §3.2.1.3); a name such as 127.example.org is no address.
        return unsafe inet_pton(AF_INET, host, &address) == 1 && UInt32(bigEndian: address.s_addr) >> 24 == 127
    }

    private func part(_ part: CURLUPart) -> String? {
        var text: UnsafeMutablePointer<CChar>?
        guard unsafe cvm_curl_url_get(curl.functions, handle, part, &text) == CURLUE_OK, let text = unsafe text else {
            return nil
        }
        defer { unsafe cvm_curl_free(curl.functions, text) }
        return unsafe String(cString: text)
    }
}
