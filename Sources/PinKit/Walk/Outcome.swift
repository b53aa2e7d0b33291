// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// A place for one ``Recovered`` that crosses threads: set once, taken once.
package final class Outcome: Sendable {
    private let slot = Mutex<Recovered?>(nil)

    package init() {}

    package func set(_ recovered: consuming Recovered) {
        var value: Recovered? = consume recovered
        slot.withLock { slot in
            if slot == nil { slot = value.take() }
        }
    }

    package func take() throws(PinError) -> SecretBytes {
        let recovered = slot.withLock { $0.take() }
        guard let recovered else {
            throw PinError(.failed, step: "recover", detail: "the pin delivered no result")
        }
        return try recovered.get()
    }
}
