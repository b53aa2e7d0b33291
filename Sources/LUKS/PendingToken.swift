// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// A token that is only there while a binding is replaced or removed (docs/spec/luks-token.md §4): it names the keyslots that
/// are on their way in or out. Those that no binding has are of no use to anybody: what a repair removes, and nothing else.
///
/// libcryptsetup keeps the list: a keyslot that is removed leaves it, and one that somebody adds later is not in it.
struct PendingToken: Equatable {
    /// Has no meaning to clevis, and none to a guest.
    static let type = "cvm-clevis-pending"

    let keyslots: [Int]

    init(keyslots: [Int]) { self.keyslots = keyslots }

    /// nil for a token of another type, and for one that libcryptsetup would not have written.
    init?(_ json: JSON) {
        guard json["type"]?.string == PendingToken.type, let names = json["keyslots"]?.array else { return nil }
        self.keyslots = names.compactMap { $0.string.flatMap { Int($0) } }
    }

    var json: JSON {
        ["type": .string(PendingToken.type), "keyslots": .array(keyslots.map { .string(String($0)) })]
    }
}
