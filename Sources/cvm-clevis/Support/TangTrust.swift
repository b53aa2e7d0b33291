// SPDX-License-Identifier: Apache-2.0
import PinKit
import TangPin

/// Whether to believe the keys of a tang server that the configuration does not vouch for: nobody but a person who has seen
/// them on the server can know.
enum TangTrust {
    /// `trusting`: the person has said yes to all of them beforehand (`-y`).
    static func decision(_ trusting: Bool) -> TangPin.TrustDecision { trusting ? trust : ask }

    /// For a binding that takes the place of `messages`: what they trust is trusted, and what it vouches for.
    static func decision(_ trusting: Bool, as messages: [JWE]) -> TangPin.TrustDecision {
        let decide = decision(trusting)
        return { url, thumbprints in
            messages.contains { TangPin.succeeds($0, url: url, thumbprints: thumbprints) } || decide(url, thumbprints)
        }
    }

    private static let trust: TangPin.TrustDecision = { url, thumbprints in
        Console.say("\(url): trusting its keys unseen: \(thumbprints.joined(separator: ", "))")
        return true
    }

    private static let ask: TangPin.TrustDecision = { url, thumbprints in
        let keys = thumbprints.map { "  \($0)\n" }.joined()
        let question = "The advertisement of \(url) is signed with:\n\n\(keys)\nDo you trust these keys? [yN] "
        if let answer = Terminal.confirms(question) { return answer }
        Console.hint("there is no terminal to ask on; -y trusts a server's keys unseen")
        return false
    }
}
