// SPDX-License-Identifier: Apache-2.0

/// Why the simulator cannot do what it was asked, in one line for the person who asked.
public struct SimulatorError: Error, Equatable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}
