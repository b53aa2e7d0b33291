// SPDX-License-Identifier: Apache-2.0
internal import Attestation
internal import FileIO
internal import TEE

/// Intel's collateral as files, in the directories that the operator names (docs/spec/broker.md §3.1).
enum CollateralDirectory {
    /// A TCB info has some 20 KiB, a revocation list grows with what Intel revokes.
    private static let limit = 1 << 20

    /// A verifier by the sets of `directories`, one each. Throws where one is incomplete or not what Intel signed; whether it
    /// is in date is seen when a quote is judged.
    static func verifier(_ anchors: TDXTrustAnchors, _ directories: [String]) throws(BrokerError) -> TDXVerifier {
        var sets: [TDXCollateral] = []
        for directory in directories {
            sets.append(
                try TDXCollateral { (name) throws(BrokerError) in
                    let path = "\(directory)/\(name)"
                    return try BrokerError.wrapping { () throws(FileError) in
                        FileIO.exists(path) ? try FileIO.read(path, limit: limit) : nil
                    }
                })
        }
        return try BrokerError.wrapping(directories.joined(separator: ", ")) { () throws(EvidenceError) in
            try TDXVerifier(anchors: anchors, collateral: sets)
        }
    }
}
