// SPDX-License-Identifier: Apache-2.0
package import PinKit
internal import TangPin

/// Asks the server for the secret, and whether it still advertises the keys that the message was made with: a server that has
/// rotated them goes on answering until its operator removes the old ones.
package struct TangProbe: Probe {
    package let pins = ["tang"]

    package init() {}

    package func examine(_ message: JWE, in run: Run) -> [Finding] {
        do throws(PinError) {
            _ = try TangPin().decrypt(message, in: run)
        } catch {
            let gone = "the server may have removed the key: bind anew (cvm-clevis luks regen)"
            let remedy = error.code == .refused ? gone : "start the server, or see to the network"
            return [Finding(failure: error, remedy: remedy)]
        }
        let answers = Finding(.ok, .pin, "\(message.parameters?["url"]?.string ?? "the server") gives its secret back")
        do throws(PinError) {
            return [answers] + rotated(try TangPin().rotation(of: message, before: run.deadline))
        } catch {
            let text = "it answers, but its keys cannot be compared: \(error)"
            return [answers, Finding(.warning, .unreachable, text, remedy: "see what is wrong with its advertisement")]
        }
    }

    private func rotated(_ rotation: TangRotation) -> [Finding] {
        guard !rotation.missing.isEmpty else { return [] }
        let keys = rotation.missing.joined(separator: ", ")
        let text =
            rotation.isExchangeKeyMissing
            ? "the server has rotated its keys and answers with the old ones only until they are removed: \(keys)"
            : "the server does not sign any more with keys that it had: \(keys)"
        return [Finding(.warning, .rotatedKeys, text, remedy: "compare with tang-show-keys, then: cvm-clevis luks regen")]
    }
}
