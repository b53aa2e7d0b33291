// SPDX-License-Identifier: Apache-2.0
internal import CBoot
internal import FileIO
internal import Glibc
internal import PinKit

/// A process that wants the passphrase of a volume. It is held by a descriptor, so that another that gets its number later is
/// not taken for it.
public struct AskingProcess: ~Copyable {
    private let process: Int32
    private let handle: Int32

    public init(_ process: Int32) throws(FrontError) {
        let handle = cvm_process_handle(process)
        guard handle >= 0 else { throw FrontError("process \(process) is not there any more") }
        self.process = process
        self.handle = handle
    }

    deinit { close(handle) }

    /// What it runs now, as root. To be asked again before anything is handed out: a process can run another program.
    public func command() throws(FrontError) -> AttachCommand {
        let place = "/proc/\(process)"
        var status = stat()
        guard unsafe stat(place, &status) == 0 else { throw FrontError("process \(process) is not there any more") }
        guard status.st_uid == 0 else { throw FrontError("process \(process) runs as user \(status.st_uid), not as root") }
        let words: [UInt8]
        do throws(FileError) {
            words = try FileIO.read("\(place)/cmdline", limit: AttachCommand.maximumLength)
        } catch {
            throw FrontError("process \(process): \(error)")
        }
        guard !hasEnded else { throw FrontError("process \(process) is not there any more") }
        do throws(FrontError) {
            return try AttachCommand(words)
        } catch {
            throw FrontError("process \(process): \(error)")
        }
    }

    /// Throws unless it opens `volume` by our copy of the header, now.
    public func check(opens volume: String) throws(FrontError) {
        let command = try command()
        do throws(FrontError) {
            try command.check(opens: volume)
        } catch {
            throw FrontError("process \(process): \(error)")
        }
    }

    private var hasEnded: Bool {
        var state = pollfd(fd: handle, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&state, 1, 0) != 0
    }
}
