// SPDX-License-Identifier: Apache-2.0
internal import FileIO
internal import PinKit

/// Signatures over PCR values, as systemd-measure and ukify write them to `tpm2-pcr-signature.json` (docs/spec/pins.md
/// §5.3).
///
/// Whoever wrote the file is not trusted: a signature counts only once the TPM has checked it.
struct PCRSignatures {
    /// A file with every phase of booting in every bank has 10 KB.
    static let maximumLength = 256 << 10
    /// How many signatures over the same values are tried; each costs a command.
    static let maximumTried = 4

    private let files: [(path: String, banks: JSON)]

    /// Reads those of `paths` that are there. `.unavailable` where none is, or one is no such file: another boot may bring
    /// one.
    init(reading paths: [String]) throws(PinError) {
        var files: [(path: String, banks: JSON)] = []
        for path in paths where FileIO.exists(path) {
            do {
                files.append((path, try JSON(parsing: FileIO.read(path, limit: PCRSignatures.maximumLength))))
            } catch let error as FileError {
                throw PCRSignatures.missing("\(error)")
            } catch {
                throw PCRSignatures.missing("\(path): \(error)")
            }
        }
        guard !files.isEmpty else { throw PCRSignatures.missing("none of \(paths.joined(separator: ", ")) is there") }
        self.files = files
    }

    /// The signatures by `key` that say they are over `policy`, the digest of TPM2_PolicyPCR for `pcrs`: at least one, and at
    /// most ``maximumTried``, as the TPM takes them. `.refused` where nobody signed these values.
    func signatures(by key: PolicyKey, over policy: [UInt8], of pcrs: PCRSelection) throws(PinError) -> [[UInt8]] {
        let fingerprint = key.fingerprint
        let entries = files.flatMap { $0.banks[pcrs.bank.rawValue]?.array ?? [] }
        let ours = entries.filter { entry in
            entry["pkfp"]?.string.flatMap(Hex.decode) == fingerprint && pcrs.isNamed(by: entry["pcrs"])
        }
        let matching = ours.filter { $0["pol"]?.string.flatMap(Hex.decode) == policy }
        let signatures = matching.compactMap { $0["sig"]?.string.flatMap(Base64.decode).flatMap(key.signature) }
        guard !signatures.isEmpty else {
            let place = files.map(\.path).joined(separator: ", ")
            let found =
                ours.isEmpty
                ? "no signature by this key for \(pcrs.description)"
                : "\(ours.count) for \(pcrs.description), none of them over the values they have now"
            throw PinError(.refused, step: "find a PCR signature", detail: "\(place): \(found)")
        }
        return Array(signatures.prefix(PCRSignatures.maximumTried))
    }

    private static func missing(_ detail: String) -> PinError {
        PinError(.unavailable, step: "find a PCR signature", detail: detail)
    }
}

extension PCRSelection {
    /// Whether `json` is an array of exactly these PCRs.
    fileprivate func isNamed(by json: JSON?) -> Bool {
        guard let numbers = json?.array, numbers.count <= 24 else { return false }
        var named: UInt32 = 0
        for number in numbers {
            guard let pcr = number.integer, PCRSelection.allowed.contains(Int(clamping: pcr)) else { return false }
            named |= 1 << UInt32(pcr)
        }
        return named == bits
    }
}
