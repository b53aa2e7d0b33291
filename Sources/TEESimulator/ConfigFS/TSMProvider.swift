// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// What a driver registers with the kernel's TSM core (`struct tsm_report_ops`): where the blobs come from.
protocol TSMProvider: AnyObject {
    /// What `provider` says, without the newline.
    var name: String { get }
    /// The files of a report directory, in the kernel's order; a driver hides those it has no use for.
    var attributes: [TSMAttribute] { get }
    /// The lowest value that `privlevel` takes.
    var privlevelFloor: UInt32 { get }
    /// Makes a report; slow on hardware. `inblob` has 1 to 64 bytes.
    func report(inblob: [UInt8], privlevel: UInt32) throws(Errno) -> TSMBlobs
}

struct TSMBlobs {
    var outblob: [UInt8]
    var auxblob: [UInt8]
}

/// An errno value, as a reader of the file system gets it.
struct Errno: Error, Equatable {
    let code: Int32

    static let accessDenied = Errno(code: EACCES)
    static let exists = Errno(code: EEXIST)
    static let invalid = Errno(code: EINVAL)
    static let noSuchDevice = Errno(code: ENXIO)
    static let noSuchFile = Errno(code: ENOENT)
    static let notPermitted = Errno(code: EPERM)
    static let tooBig = Errno(code: EFBIG)
}
