// SPDX-License-Identifier: Apache-2.0
import BootFronts
import FileIO
import Glibc
import LUKS
import PinKit
import PinSet

/// `headers`: validated copies of the headers of all volumes that are not open yet, each as soon as its device is there.
struct HeaderRun {
    private let arguments: Arguments
    private let configuration: BootConfig
    private let action: FailureAction

    init(_ arguments: Arguments, _ configuration: BootConfig, _ action: FailureAction) {
        self.arguments = arguments
        self.configuration = configuration
        self.action = action
    }

    /// True when every volume that is not open has its copy.
    func run() -> Bool {
        do throws(FileError) {
            try FileIO.makeDirectory(BootPaths.directory, mode: 0o700)
        } catch {
            Console.say("error: \(error)")
            return false
        }
        let deadline = Deadline.after(seconds: arguments.timeout)
        var missing = configuration.volumes.filter { !FileIO.exists("/dev/mapper/\($0.name)") }
        // A copy of an earlier run says nothing about the disk that is there now.
        for volume in missing { _ = unsafe unlink(BootPaths.header(of: volume.name)) }
        var isDone = true
        while !missing.isEmpty, !deadline.hasPassed {
            let (here, absent) = split(missing)
            for volume in here where !publish(volume) { isDone = false }
            missing = absent
            if !missing.isEmpty { usleep(50_000) }
        }
        for volume in missing {
            action.closed(
                volume, because: "unreadable: \(arguments.device(of: volume)) is not there after \(arguments.timeout) s")
        }
        return isDone && missing.isEmpty
    }

    private func split(_ volumes: [BootConfig.Volume]) -> (here: [BootConfig.Volume], absent: [BootConfig.Volume]) {
        let here = volumes.filter { FileIO.exists(arguments.device(of: $0)) }
        return (here, volumes.filter { volume in !here.contains(volume) })
    }

    private func publish(_ volume: BootConfig.Volume) -> Bool {
        let path = BootPaths.header(of: volume.name)
        do throws(LUKSError) {
            let refusal = try Volume(arguments.device(of: volume)).publishHeader(
                to: path, trust: volume.trust, registry: PinSet.standard, evenUnbound: volume.onFailure != .poweroff)
            guard let refusal else {
                Console.say("\(volume.name): its header is valid, and copied to \(path)")
                return true
            }
            action.closed(volume, because: refusal)
        } catch {
            action.closed(volume, because: error)
        }
        return false
    }
}

extension Arguments {
    func device(of volume: BootConfig.Volume) -> String {
        devices.last { $0.name == volume.name }?.path ?? "/dev/disk/by-uuid/\(volume.uuid)"
    }
}
