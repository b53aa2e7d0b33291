// SPDX-License-Identifier: Apache-2.0
internal import CCurl
internal import PinKit

/// Lines of a request's head as libcurl's list. `Name:` without a value removes one that libcurl would add.
@safe struct HeaderList: ~Copyable {
    private let curl: LibCurl
    private(set) var first: UnsafeMutablePointer<curl_slist>?

    init(_ lines: [String], _ curl: LibCurl) throws(PinError) {
        self.curl = curl
        unsafe first = nil
        for line in lines {
            guard let longer = unsafe cvm_curl_append(curl.functions, first, line) else {
                throw PinError(.failed, step: "curl_slist_append", detail: "out of memory")
            }
            unsafe first = longer
        }
    }

    deinit { unsafe cvm_curl_free_list(curl.functions, first) }
}
