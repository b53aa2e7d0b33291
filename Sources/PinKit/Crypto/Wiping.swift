// SPDX-License-Identifier: Apache-2.0
internal import CJose
internal import COpenSSL

/// Overwrites the text of string member `name` where it stands, so that it is not left in freed heap.
func wipeMember(_ name: String, of tree: UnsafeMutablePointer<json_t>?) {
    guard let member = unsafe json_object_get(tree, name), let text = unsafe json_string_value(member) else { return }
    unsafe OPENSSL_cleanse(UnsafeMutableRawPointer(mutating: text), json_string_length(member))
}

/// Overwrites and frees a C string that malloc made.
func wipeAndFree(_ text: UnsafeMutablePointer<CChar>) {
    unsafe OPENSSL_cleanse(text, strlen(text))
    unsafe free(text)
}

/// Overwrites and frees `count` bytes that malloc made.
func wipeAndFree(_ bytes: UnsafeMutableRawPointer, count: Int) {
    unsafe OPENSSL_cleanse(bytes, count)
    unsafe free(bytes)
}
