// SPDX-License-Identifier: Apache-2.0

extension PinRegistry {
    /// Takes away every secret for one use that could open `message`, whichever of its pins did: for who has opened a volume
    /// with it. Not for who only tries, nor for a policy that failed and may be asked again. What could not be taken away is
    /// returned.
    public func forget(_ message: JWE) -> [PinError] { forget(message, at: "", depth: 1) }

    private func forget(_ message: JWE, at place: String, depth: Int) -> [PinError] {
        guard depth <= PolicyWalk.maximumDepth, let pin = try? pin(of: message) else { return [] }
        let path = "\(place)\(pin.name)"
        if let policy = pin as? any PolicyPin, let threshold = try? policy.threshold(of: message) {
            return threshold.children.enumerated().flatMap { index, child in
                forget(child, at: "\(path)[\(index)].", depth: depth + 1)
            }
        }
        guard let pin = pin as? any OneTimePin else { return [] }
        do throws(PinError) {
            try pin.forget(message)
            return []
        } catch {
            return [error.within(path)]
        }
    }
}
