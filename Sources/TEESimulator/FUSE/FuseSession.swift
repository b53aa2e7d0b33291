// SPDX-License-Identifier: Apache-2.0
internal import CFUSE
internal import Glibc
internal import PinKit

/// A file system that this process answers for, from its mount to its end.
@safe final class FuseSession: @unchecked Sendable {
    private let session: OpaquePointer

    /// Mounts over `path`; root only. From now on whoever touches `path` waits for ``serve(keeping:)``. Requests get `context`.
    init(
        _ operations: fuse_lowlevel_ops, _ context: UnsafeMutableRawPointer, at path: String
    ) throws(SimulatorError) {
        var operations = operations
        var arguments = unsafe fuse_args()
        defer { unsafe fuse_opt_free_args(&arguments) }
        for argument in ["cvm-tee-sim", "-ofsname=cvm-tee-sim,allow_other,default_permissions"] {
            guard unsafe fuse_opt_add_arg(&arguments, argument) == 0 else { throw SimulatorError("out of memory") }
        }
        guard
            let session = unsafe fuse_session_new(
                &arguments, &operations, MemoryLayout<fuse_lowlevel_ops>.size, context)
        else { throw SimulatorError("libfuse takes no session") }
        unsafe self.session = session
        guard unsafe fuse_session_mount(session, path) == 0 else {
            throw SimulatorError("cannot mount FUSE over \(path): \(unsafe String(cString: strerror(errno)))")
        }
    }

    deinit { unsafe fuse_session_destroy(session) }

    /// Answers on a thread of its own, which keeps `system`, until the file system is unmounted or the process ends.
    func serve(keeping system: some AnyObject & Sendable) throws(SimulatorError) {
        let isStarted = startWorker {
            withExtendedLifetime(system) { _ = unsafe fuse_session_loop(self.session) }
        }
        guard isStarted else { throw SimulatorError("the system has no thread to give") }
    }
}
