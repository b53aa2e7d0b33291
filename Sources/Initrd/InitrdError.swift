// SPDX-License-Identifier: Apache-2.0

/// An image that could not be read: which, and what is wrong with it.
package struct InitrdError: Error, Sendable, Equatable, CustomStringConvertible {
    package let path: String
    package let reason: String

    package init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }

    package var description: String { "\(path): \(reason)" }
}
