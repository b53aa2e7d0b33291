// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// What a guest demands of a header before it puts a copy of it where others open it (docs/spec/boot.md §2).
extension Volume {
    /// Copies the header, validates the copy and its bindings, and writes it to `path`, whose directory exists.
    ///
    /// Throws what ``Unlocker`` would before it asks any pin; then nothing is written. With `evenUnbound` a header whose
    /// bindings alone were refused is written, for a passphrase that somebody types, and the refusal returned.
    public func publishHeader(
        to path: String, trust: VolumeTrust, registry: PinRegistry, evenUnbound: Bool = false
    ) throws(LUKSError) -> LUKSError? {
        let copy = try HeaderCopy(of: self.path)
        let refusal: LUKSError?
        do throws(LUKSError) {
            try trust.check(copy.header)
            refusal = Volume.refusal(of: copy.header, trust, registry)
        } catch {
            throw error.at(self.path)
        }
        if let refusal, !evenUnbound { throw refusal.at(self.path) }
        try copy.publish(at: path)
        return refusal?.at(self.path)
    }

    /// nil when one binding is accepted at least.
    private static func refusal(of header: Header, _ trust: VolumeTrust, _ registry: PinRegistry) -> LUKSError? {
        var refusals: [LUKSError] = []
        for (number, json) in header.tokens.sorted(by: { $0.key < $1.key }) {
            do throws(LUKSError) {
                guard let token = try ClevisToken(json) else { continue }
                try trust.check(token, in: header, registry: registry)
                return nil
            } catch {
                refusals.append(error.at("token \(number)"))
            }
        }
        guard let first = refusals.first else { return LUKSError(.notBound, detail: "it has no token of type clevis") }
        guard refusals.count > 1 else { return first }
        return LUKSError(
            first.code, step: "no binding is accepted", detail: refusals.map(\.description).joined(separator: "; "))
    }
}
