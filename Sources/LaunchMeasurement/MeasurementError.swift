// SPDX-License-Identifier: Apache-2.0

/// Why something cannot be measured: which input, and what is wrong with it or missing from it.
public struct MeasurementError: Error, Sendable, Equatable, CustomStringConvertible {
    /// `firmware`, `kernel`, `vcpus`: the option that named it.
    public let input: String
    public let problem: String

    public init(_ input: String, _ problem: String) {
        self.input = input
        self.problem = problem
    }

    public var description: String { "\(input): \(problem)" }
}
