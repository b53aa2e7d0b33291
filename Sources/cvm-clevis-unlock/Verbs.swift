// SPDX-License-Identifier: Apache-2.0
import BootFronts
import FileIO
import Glibc
import LUKS
import PinSet

extension Arguments {
    /// Does what the verb says. The exit status.
    func run(_ inherited: Inherited) -> Int32 {
        let action = FailureAction(self, inherited)
        guard let configuration = readConfiguration() else {
            action.unconfigured()
            return 1
        }
        for device in devices where !configuration.volumes.contains(where: { $0.name == device.name }) {
            Console.say("error: \(bootConfiguration) names no volume \(device.name)")
            return 1
        }
        switch verb {
        case .open:
            return UnlockRun(arguments: self, configuration: configuration, action: action).run()
        case .headers:
            return HeaderRun(self, configuration, action).run() ? 0 : 1
        case .serve:
            return serve(inherited, configuration, action)
        case .agent:
            guard let ring = ring(configuration) else { return noDescriptor() }
            return PasswordAgent(configuration, ring, action).run() ? 0 : 1
        case .key:
            return PluginAnswer(arguments: self, configuration: configuration).run()
        case .volumes:
            for volume in configuration.early.volumes {
                let pins = volume.pins.joined(separator: ",")
                Console.answer("\(volume.name) \(volume.uuid) \(volume.onFailure.rawValue) \(pins)\n")
            }
            return 0
        case .crypttab:
            for volume in configuration.early.volumes { Console.answer("\(CrypttabLine(volume, front))\n") }
            return 0
        case .act:
            return act(configuration, action)
        }
    }

    private func serve(_ inherited: Inherited, _ configuration: BootConfig, _ action: FailureAction) -> Int32 {
        guard let listener = inherited.listener else {
            Console.say("error: serve: there is no listening socket to serve")
            Console.say("hint: systemctl start cvm-clevis-key.socket, which starts it when somebody asks")
            return 2
        }
        guard let ring = ring(configuration) else { return noDescriptor() }
        return KeyServer(at: listener, configuration, ring, action, timeout: timeout).run() ? 0 : 1
    }

    private func act(_ configuration: BootConfig, _ action: FailureAction) -> Int32 {
        guard let name = volume else {
            action.beforeShell(configuration)
            return 0
        }
        // A volume that boot.json does not name is none of ours.
        if let volume = configuration.volumes.first(where: { $0.name == name }) {
            action.closed(volume, because: "its unit failed")
        }
        return 0
    }

    private func ring(_ configuration: BootConfig) -> KeyRing? {
        KeyRing(configuration.volumes, registry: PinSet.standard, measure: measurement)
    }

    /// Only while a machine boots: later it is what it is.
    var measurement: Unlocker.KeyMeasurement? {
        guard !isTest, FileIO.exists(BootPaths.initrdRelease) else { return nil }
        return { VolumeKeyMeasurement.measure($0, $1) }
    }

    private func noDescriptor() -> Int32 {
        Console.say("error: eventfd: \(unsafe String(cString: strerror(errno)))")
        return 1
    }

    private func readConfiguration() -> BootConfig? {
        let path = bootConfiguration
        do {
            let configuration = try BootConfig(parsing: FileIO.read(path, limit: BootConfig.maximumLength))
            return FileIO.exists(BootPaths.initrdRelease) ? configuration.early : configuration
        } catch let error as FileError {
            Console.say("error: \(error)")
            Console.say("hint: make it with 'cvm-clevis boot-config create' and put it into the initrd as \(path)")
        } catch {
            Console.say("error: \(path): \(error)")
        }
        return nil
    }
}
