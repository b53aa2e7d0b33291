// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// The files of a report directory, with the kernel's permissions.
enum TSMAttribute: String, CaseIterable {
    case auxblob
    case generation
    case inblob
    case outblob
    case privlevel
    case privlevelFloor = "privlevel_floor"
    case provider

    var isWritable: Bool { self == .inblob || self == .privlevel }
    /// Binary attributes cannot be sought in, and show a size of 0.
    var isBinary: Bool { self == .auxblob || self == .inblob || self == .outblob }
    var mode: mode_t { S_IFREG | (isWritable ? 0o200 : 0o444) }
    /// Text attributes show a page.
    var size: Int { isBinary ? 0 : 4096 }
}
