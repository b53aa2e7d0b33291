// SPDX-License-Identifier: Apache-2.0
import BootFronts
import FileIO
import LUKS
import PinKit
import PinSet

/// One run of the program without a verb: every volume of boot.json, in one walk.
struct UnlockRun {
    let arguments: Arguments
    let configuration: BootConfig
    let action: FailureAction

    /// Opens the volumes and says a line for each. The exit status: 3 where another attempt may open those that are closed.
    func run() -> Int32 {
        let requests = configuration.volumes.map(request)
        let unlocker = Unlocker(
            registry: PinSet.standard, deadline: .after(seconds: arguments.timeout), measure: arguments.measurement)
        var failures: [(BootConfig.Volume, LUKSError)] = []
        for (volume, result) in zip(configuration.volumes, unlocker.unlock(requests)) {
            switch result {
            case .success(let opened):
                Console.say("\(volume.name): opened by \(opened.policy) (token \(opened.token), keyslot \(opened.keyslot))")
            case .failure(let error):
                failures.append((volume, error))
            }
        }
        for (volume, error) in failures { action.closed(volume, because: error) }
        if failures.isEmpty { return 0 }
        return failures.allSatisfy { $0.1.code == .unavailable } ? 3 : 1
    }

    private func request(for volume: BootConfig.Volume) -> UnlockRequest {
        UnlockRequest(
            Volume(arguments.device(of: volume)), trust: volume.trust,
            mode: arguments.isTest ? .test : .activate(name: volume.name))
    }
}
