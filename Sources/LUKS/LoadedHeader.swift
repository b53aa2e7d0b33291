// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// LUKS2 metadata that another process has loaded and will open the volume by: what `crypt_dump_json` said there. No device is
/// read for it.
public struct LoadedHeader: Sendable {
    /// Bytes of metadata as text: libcryptsetup indents it.
    public static let maximumLength = 2 * BinaryHeader.maximumAreaSize

    private let header: Header

    /// Validates `metadata` against the allow-list. `uuid` is the one of the same handle.
    public init(metadata: JSON, uuid: String) throws(LUKSError) {
        // The size of an area is only known by what the metadata say of it; another than LUKS2 knows is refused there.
        guard let size = metadata["config"]?["json_size"]?.string.flatMap({ Int($0) }), 0...(4 << 20) ~= size else {
            throw LUKSError(.refused, step: "header", detail: "config: json_size is missing, or not a size")
        }
        let areaSize = size + 4096
        guard areaSize.nonzeroBitCount == 1, areaSize >= BinaryHeader.minimumAreaSize else {
            throw LUKSError(.refused, step: "header", detail: "config: json_size is \(size), not one that LUKS2 knows")
        }
        self.header = try Header(metadata: metadata, uuid: uuid, areaSize: areaSize)
    }

    /// What `token` yields, once `trust` accepted header and binding; whoever activates the volume sees whether it opens its
    /// keyslot. Pins are asked until `deadline`.
    public func passphrase(
        of token: Int, trust: VolumeTrust, registry: PinRegistry, deadline: Deadline
    ) throws(LUKSError) -> SecretBytes {
        try trust.check(header)
        do throws(LUKSError) {
            guard let binding = try header.tokens[token].flatMap({ json throws(LUKSError) in try ClevisToken(json) }) else {
                throw LUKSError(.notBound, detail: "it is no clevis binding")
            }
            try trust.check(binding, in: header, registry: registry)
            do throws(PinError) {
                return try PolicyWalk(registry: registry, deadline: deadline).recover(binding.jwe)
            } catch {
                throw LUKSError(error)
            }
        } catch {
            throw error.at("token \(token)")
        }
    }
}
