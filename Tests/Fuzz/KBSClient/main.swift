// SPDX-License-Identifier: Apache-2.0
import BrokerProtocol
import KBSClient
import PinKit

private let keys = KBSVersion.allCases.map { try! SessionKey(for: $0) }
private let report = [UInt8](repeating: 1, count: 1184)

/// What servers of the KBS protocol send to a guest, and what its host does: each read from the same bytes.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // Made at the first input: an RSA key takes longer than an input may.
    let keys = keys
    return unsafe Harness.run(start, count) { bytes in
        for (version, key) in zip(KBSVersion.allCases, keys) {
            _ = try? key.open(bytes)
            guard let message = try? AttestMessage(bytes, for: key.jwk, of: version) else { continue }
            precondition(message.reportData.map { $0.count == 64 } ?? true)
        }
        _ = try? KeyText.readCharacters(SecretBytes(copyingPublic: bytes))
        evidence(bytes)
    }
}

/// The host's certificates, and a report that is anything.
private func evidence(_ bytes: [UInt8]) {
    let challenge = Array(#"{"nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}"#.utf8)
    for version in [KBSVersion.v0_2_0, .v0_4_0] {
        guard let message = try? AttestMessage(challenge, for: [:], of: version) else { fatalError("no challenge") }
        let sent = [
            message.body(.snp(report: report, certificates: bytes)),
            message.body(.snp(report: Array((bytes + report).prefix(report.count)), certificates: [])),
        ]
        for body in sent { if let body { precondition((try? JSON(parsing: body)) != nil) } }
    }
}
