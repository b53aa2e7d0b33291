// SPDX-License-Identifier: Apache-2.0
import BootFronts
import FileIO
import LUKS
import PinKit
import PinSet

/// `key`: one request of the token plugin on standard input, the passphrase on standard output (docs/spec/boot.md §5).
struct PluginAnswer {
    let arguments: Arguments
    let configuration: BootConfig

    /// The exit status.
    func run() -> Int32 {
        let request: TokenRequest
        do {
            request = try TokenRequest(FileIO.read(0, limit: TokenRequest.maximumLength, name: "standard input"))
        } catch {
            Console.say("error: key: \(error)")
            return 2
        }
        guard let volume = configuration.volumes.first(where: { $0.uuid == request.uuid }) else {
            Console.say("error: key: refused: \(arguments.bootConfiguration) has no volume with the UUID of this one")
            return 1
        }
        do {
            let header = try LoadedHeader(metadata: request.metadata, uuid: request.uuid)
            let passphrase = try header.passphrase(
                of: request.token, trust: volume.trust, registry: PinSet.standard,
                deadline: .after(seconds: arguments.timeout))
            try FileIO.write(1, passphrase, name: "standard output")
            return 0
        } catch let error as LUKSError {
            Console.say("\(volume.name): \(error)")
            guard error.code == .unavailable else { return 1 }
            return error.step == "ask for the PIN" ? 4 : 3
        } catch {
            Console.say("error: key: \(error)")
            return 1
        }
    }
}
