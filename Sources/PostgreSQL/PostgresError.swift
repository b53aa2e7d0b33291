// SPDX-License-Identifier: Apache-2.0

/// What a PostgreSQL server, or the way to it, made of a statement. Never holds its arguments.
package struct PostgresError: Error, CustomStringConvertible, Sendable {
    /// Five characters (PostgreSQL's appendix A); empty where no answer came.
    package let code: String
    package let description: String
    /// What to do, where that helps.
    package let hint: String?

    init(code: String = "", description: String, hint: String? = nil) {
        self.code = code
        self.description = description
        self.hint = hint
    }

    /// Whether the same transaction may well succeed when it is run anew: serialization failure, deadlock.
    package var isConflict: Bool { code == "40001" || code == "40P01" }
    /// Whether the connection is of no use any more.
    package var isLost: Bool { code.isEmpty || code.hasPrefix("08") || code.hasPrefix("57P") }
}

/// A column's value or a statement's argument.
package enum PostgresValue: Equatable, Sendable {
    case null
    case integer(Int64)
    case text(String)
}
