// SPDX-License-Identifier: Apache-2.0

/// What went wrong for the operator: one line, and where it helps a second one that says what to do. Never holds a secret.
public struct BrokerError: Error, Equatable, CustomStringConvertible {
    public let message: String
    public let hint: String?

    public init(_ message: String, hint: String? = nil) {
        self.message = message
        self.hint = hint
    }

    public var description: String { message }
}

extension BrokerError {
    /// Runs `body`; what it throws becomes the operator's, after the words of `step`: `cannot make keys: …`.
    static func wrapping<Value: ~Copyable, Failure: Error>(
        _ step: String = "", _ body: () throws(Failure) -> Value
    ) throws(BrokerError) -> Value {
        do throws(Failure) {
            return try body()
        } catch {
            throw BrokerError(step.isEmpty ? "\(error)" : "\(step): \(error)")
        }
    }
}
