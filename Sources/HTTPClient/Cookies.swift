// SPDX-License-Identifier: Apache-2.0

/// What one server wants to hear again, for as long as the client that asks it: the name of a session.
///
/// Paths, domains and dates are not looked at: there is one server, and a guest has no clock.
struct Cookies {
    private static let maximumCount = 8
    /// Bytes of a name with its value.
    private static let maximumLength = 4096

    /// `name=value`
    private var pairs: [Substring] = []

    /// The line of a request's head; nil where there is nothing to say.
    var field: String? { pairs.isEmpty ? nil : "Cookie: \(pairs.joined(separator: "; "))" }

    mutating func take(from response: HTTPResponse) {
        for line in response.headers("set-cookie") {
            let pair = line.prefix { $0 != ";" }
            guard let end = pair.firstIndex(of: "="), pair.utf8.count <= Cookies.maximumLength else { continue }
            pairs.removeAll { $0.hasPrefix(pair[...end]) }
            if pairs.count < Cookies.maximumCount { pairs.append(pair) }
        }
    }
}
