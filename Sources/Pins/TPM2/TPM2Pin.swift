// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// A secret that one TPM gives back: to whoever asks, or only while PCRs have the values they had at binding, or values that
/// somebody signed, or to who knows a PIN.
///
/// Wire-compatible with clevis' `tpm2` in both directions as far as that goes; no other program is started, and the key
/// crosses the bus encrypted. Configuration and format: docs/spec/pins.md §5.
public struct TPM2Pin: Pin {
    /// Asks a person for a PIN with this text; nil where there is nobody to ask, or no answer. Called on any thread.
    public typealias PINPrompt = @Sendable (String) throws(PinError) -> SecretBytes?

    public let name = "tpm2"
    let sealer: Sealer
    private let pins: PINs

    /// The kernel's own resource manager on the first TPM.
    public static let kernelTPM = "device:/dev/tpmrm0"

    /// Where systemd leaves the signatures that came with the kernel; those that are there count, together.
    public static let signatureFiles = ["/run/systemd", "/.extra", "/etc/systemd"].map { "\($0)/tpm2-pcr-signature.json" }

    /// - Parameter tcti: where the TPM is, as tss2 spells it: `device:/dev/tpmrm0`, `swtpm:path=/run/swtpm.sock`.
    /// - Parameter signatureFiles: where signatures over PCR values are looked for.
    /// - Parameter askPIN: nil for a program that cannot ask: what has a PIN is `.unavailable` to it.
    public init(
        tcti: String = TPM2Pin.kernelTPM, signatureFiles: [String] = TPM2Pin.signatureFiles, askPIN: PINPrompt? = nil
    ) {
        sealer = Sealer(tcti: tcti, signatureFiles: signatureFiles)
        pins = PINs(prompt: askPIN)
    }

    public func encryptor(for configuration: JSON, in binding: Binding) throws(PinError) -> any Encryptor {
        TPM2Encryptor(configuration: try TPM2Configuration(configuration), sealer: sealer, pins: pins)
    }

    public func decrypt(_ message: JWE, in run: Run) throws(PinError) -> SecretBytes {
        let header = try TPM2Header(message)
        let auth = header.conditions.pin ? try pins.enter(for: header.object) : SecretBytes(copyingPublic: [])
        let text = try sealer.unseal(header, auth: auth, before: run.deadline)
        return try message.decrypt(contentKey: KeyText.read(text))
    }
}

private struct TPM2Encryptor: Encryptor {
    let configuration: TPM2Configuration
    let sealer: Sealer
    let pins: PINs

    func encrypt(_ secret: borrowing SecretBytes) throws(PinError) -> JWE {
        let hasPIN = configuration.conditions.pin
        let auth = hasPIN ? try pins.choose() : SecretBytes(copyingPublic: [])
        let key = try SecretBytes.random(count: 32)
        let header = try sealer.seal(KeyText.write(key), auth: auth, configuration)
        if hasPIN { pins.remember(auth, for: header.object) }
        return try JWE.encrypt(secret, contentKey: key, header: ["clevis": ["pin": "tpm2", "tpm2": header.json]])
    }
}
