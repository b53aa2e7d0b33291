// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import LaunchInput
import PinKit
import TEE

struct IDBlockCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "id-block", abstract: "ID blocks of SEV-SNP guests: your signature under what may be launched.",
        discussion: """
            A policy that names the digest of the signing key, and a lowest guest_svn, takes every image that you sign: a new
            kernel needs a new block, and no volume is bound again (docs/spec/id-block.md).

            Example:
              cvm-clevis id-block create --id-key id.pem --svn 2 \\
                --measurement "$(cvm-clevis measure snp --firmware OVMF.fd --vcpus 4)"
            """,
        subcommands: [CreateIDBlock.self, ShowIDBlock.self])
}

/// The members of a policy that take what the keys of an ID block sign.
struct IDKeyDigests {
    let authentication: IDAuthentication

    var members: JSONObject {
        var members: JSONObject = ["id_key_digest": [.string(Base64URL.encode(authentication.idKeyDigest))]]
        if let digest = authentication.authorKeyDigest {
            members["author_key_digest"] = [.string(Base64URL.encode(digest))]
        }
        return members
    }
}

extension IDBlock {
    /// Values for `guest_svn` and `guest_policy`, besides the digests.
    var json: JSONObject {
        [
            "family_id": .string(Hex.encode(familyID)), "guest_svn": .integer(Int64(guestSVN)),
            "image_id": .string(Hex.encode(imageID)), "measurement": .string(Hex.encode(measurement)),
            "policy": .string("0x\(String(policy.rawValue, radix: 16))"),
        ]
    }
}
