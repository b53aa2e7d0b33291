// SPDX-License-Identifier: Apache-2.0
package import PinKit
package import TangPin

/// Which keys of the tang servers of one policy are not advertised any more: `luks report`.
package enum KeyRotation {
    /// One for each server of `message`'s policy, in its order; the others of its pins are not looked at. Throws where one
    /// cannot be asked: then it is not known.
    package static func report(
        on message: JWE, registry: PinRegistry, before deadline: Deadline
    ) throws(PinError) -> [TangRotation] {
        let leaves = try Policy(of: message, registry: registry).leaves.filter { $0.message.pin == "tang" }
        let answers = concurrently(leaves.count, until: deadline) { index -> Result<TangRotation, PinError> in
            do throws(PinError) {
                return .success(try TangPin().rotation(of: leaves[index].message, before: deadline))
            } catch {
                return .failure(error)
            }
        }
        var rotations: [TangRotation] = []
        for (leaf, answer) in zip(leaves, answers) {
            let late = PinError(.unavailable, step: "adv", detail: "no answer before the deadline")
            do throws(PinError) {
                rotations.append(try (answer ?? .failure(late)).get())
            } catch {
                throw error.within(leaf.path)
            }
        }
        return rotations
    }
}
