// SPDX-License-Identifier: Apache-2.0
import FileIO
import LUKS
import PinKit
import PinSet

/// One run of the program: every volume of boot.json, in one walk.
struct UnlockRun {
    private let arguments: Arguments

    init(_ arguments: Arguments) { self.arguments = arguments }

    /// Opens the volumes and says a line for each. True when all are open.
    func run() -> Bool {
        guard let configuration = readConfiguration() else { return false }
        for device in arguments.devices where !configuration.volumes.contains(where: { $0.name == device.name }) {
            Console.say("error: \(arguments.bootConfiguration) names no volume \(device.name)")
            return false
        }
        let requests = configuration.volumes.map(request)
        let unlocker = Unlocker(registry: PinSet.standard, deadline: .after(seconds: arguments.timeout))
        var isOpen = true
        for (volume, result) in zip(configuration.volumes, unlocker.unlock(requests)) {
            switch result {
            case .success(let opened):
                Console.say("\(volume.name): opened by \(opened.policy) (token \(opened.token), keyslot \(opened.keyslot))")
                for leftover in opened.leftovers { Console.say("\(volume.name): warning: \(leftover)") }
            case .failure(let error):
                Console.say("\(volume.name): \(error)")
                isOpen = false
            }
        }
        return isOpen
    }

    private func readConfiguration() -> BootConfig? {
        let path = arguments.bootConfiguration
        do {
            return try BootConfig(parsing: FileIO.read(path, limit: BootConfig.maximumLength))
        } catch let error as FileError {
            Console.say("error: \(error)")
            Console.say("hint: make it with 'cvm-clevis boot-config create' and put it into the initrd as \(path)")
        } catch {
            Console.say("error: \(path): \(error)")
        }
        return nil
    }

    private func request(for volume: BootConfig.Volume) -> UnlockRequest {
        let path = arguments.devices.last { $0.name == volume.name }?.path ?? "/dev/disk/by-uuid/\(volume.uuid)"
        return UnlockRequest(
            Volume(path), trust: volume.trust, mode: arguments.isTest ? .test : .activate(name: volume.name))
    }
}
