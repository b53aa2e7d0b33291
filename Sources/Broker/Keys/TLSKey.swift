// SPDX-License-Identifier: Apache-2.0
internal import CMemory
internal import FileIO
internal import Glibc
internal import NIOSSL
internal import PinKit

/// A self-made TLS identity out of the store: a key, and the certificate that it signed itself.
package final class TLSKey: Sendable {
    private static let boundary = Array("-----BEGIN CERTIFICATE-----".utf8)

    private let key: SecretBytes
    /// X.509 PEM.
    let certificate: String
    /// SHA-256 of the SubjectPublicKeyInfo.
    package let pin: [UInt8]

    var id: String { Base64URL.encode(pin) }

    /// Reads a PKCS #8 PEM with a certificate behind it, as ``content`` is.
    init(_ content: borrowing SecretBytes) throws(BrokerError) {
        let place = unsafe content.withUnsafeBytes { bytes in
            (0..<bytes.count).first { unsafe bytes[$0...].starts(with: Self.boundary) }
        }
        guard let place, let key = content.slice(0..<place), let rest = content.slice(place..<content.count) else {
            throw BrokerError("a TLS key has no certificate behind it")
        }
        self.key = key
        certificate = unsafe rest.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
        pin = try TLSIdentity.pin(ofCertificate: certificate)
    }

    /// What the store keeps of `identity`, sealed.
    static func content(_ identity: borrowing TLSIdentity) -> SecretBytes {
        identity.key.appending(SecretBytes(copyingPublic: Array(identity.certificate.utf8)))
    }

    /// For a server.
    func configuration() throws(BrokerError) -> TLSConfiguration {
        do {
            let chain = try NIOSSLCertificate.fromPEMBytes(Array(certificate.utf8))
            let file = try MemoryFile(key)
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain.map { .certificate($0) },
                // Read by the library itself, so that no copy of the key lies in an array of ours.
                privateKey: .privateKey(try NIOSSLPrivateKey(file: file.path, format: .pem)))
            configuration.minimumTLSVersion = .tlsv13
            return configuration
        } catch {
            throw BrokerError("cannot use TLS key \(id): \(error)")
        }
    }
}

/// A file that is on no disk, for a library that reads keys from files only.
private struct MemoryFile: ~Copyable {
    private let descriptor: Int32
    var path: String { "/proc/self/fd/\(descriptor)" }

    init(_ content: borrowing SecretBytes) throws(BrokerError) {
        descriptor = unsafe cvm_memory_file("tls-key")
        guard descriptor >= 0 else { throw BrokerError("cannot make a file in memory") }
        let number = descriptor
        try BrokerError.wrapping { () throws(FileError) in try FileIO.write(number, content, name: "a file in memory") }
    }

    deinit { close(descriptor) }
}
