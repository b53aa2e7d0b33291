// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// What the guest has the hardware sign: everything the exchange hangs on, so that a report serves one request only.
public enum ReportData {
    /// 64 bytes: SHA-512(`cvm-clevis unseal v1` ‖ 00 ‖ ``input(broker:envelopes:nonce:tee:guestKey:)``).
    ///
    /// - `broker`: the broker key's thumbprint.
    /// - `envelopes`: SHA-256 of each envelope's compact text, in the request's order.
    /// - `nonce`: the text that ``Challenge`` brought.
    public static func digest(
        broker: String, envelopes: [[UInt8]], nonce: String, tee: Platform, guestKey: PublicKey
    ) -> [UInt8] {
        let input = input(broker: broker, envelopes: envelopes, nonce: nonce, tee: tee, guestKey: guestKey)
        return Digest.sha512(Array("cvm-clevis unseal v1".utf8) + [0] + Array(input.utf8))
    }

    /// Canonical JSON of what is signed (docs/spec/envelope.md §3).
    package static func input(
        broker: String, envelopes: [[UInt8]], nonce: String, tee: Platform, guestKey: PublicKey
    ) -> String {
        let input: JSON = [
            "broker": .string(broker),
            "envelopes": .array(envelopes.map { .string(Base64URL.encode($0)) }),
            "nonce": .string(nonce),
            "tee": .string(tee.rawValue),
            "tee-pubkey": GuestKey.write(guestKey),
        ]
        return input.canonical
    }
}

extension UnsealRequest {
    /// What the evidence of this request must carry when `broker` is the key that its envelopes are for. Hashes the
    /// envelopes' texts as received.
    public func reportData(broker: String) -> [UInt8] {
        ReportData.digest(
            broker: broker, envelopes: envelopes.map { Digest.sha256(Array($0.utf8)) }, nonce: nonce, tee: tee,
            guestKey: guestKey)
    }
}
