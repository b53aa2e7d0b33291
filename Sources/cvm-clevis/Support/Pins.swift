// SPDX-License-Identifier: Apache-2.0
import Glibc
import PinKit
import PinSet

/// The pins of this program and the context they are used in.
enum Pins {
    static let registry = PinSet.standard

    static func checkPolicy(_ policy: JSON) throws(JSONError) {}

    static func binding(_ defaults: Defaults) throws -> Binding {
        try Binding(
            issuedAt: Int64(time(nil)), owner: defaults.owner(), registry: registry, defaults: defaults.pins)
    }
}
