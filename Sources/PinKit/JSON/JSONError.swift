// SPDX-License-Identifier: Apache-2.0

/// Why a text is not JSON, or a value not what its reader expected. `place` is a path such as `pins.snp-attest[0].url`, or
/// `line 3, column 7`; empty for the whole.
public struct JSONError: Error, Equatable, CustomStringConvertible {
    public let place: String
    public let problem: String

    public init(place: String, problem: String) {
        self.place = place
        self.problem = problem
    }

    public var description: String { place.isEmpty ? problem : "\(place): \(problem)" }
}
