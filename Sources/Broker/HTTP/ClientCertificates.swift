// SPDX-License-Identifier: Apache-2.0
internal import HummingbirdTLS
internal import NIOCore
internal import NIOSSL
internal import PinKit

/// Which certificates clients must show.
enum ClientCertificates: Sendable, Equatable {
    case none
    /// Any, of whose key TLS has the client prove that it has it: what that is worth, tokens say.
    case pinned
    /// One that an authority in this PEM file issued.
    case issued(byAuthoritiesIn: String)

    /// `configuration` with that demand; an error where a file is no good.
    func demand(of configuration: TLSConfiguration) throws(BrokerError) -> TLSChannelConfiguration {
        var configuration = configuration
        switch self {
        case .none: return TLSChannelConfiguration(tlsConfiguration: configuration)
        case .pinned:
            configuration.certificateVerification = .noHostnameVerification
            return TLSChannelConfiguration(
                tlsConfiguration: configuration,
                customVerificationCallback: { _, promise in promise.succeed(.certificateVerified) })
        case .issued(let file):
            configuration.certificateVerification = .noHostnameVerification
            configuration.trustRoots = .certificates(try Self.authorities(in: file))
            return TLSChannelConfiguration(tlsConfiguration: configuration)
        }
    }

    static func authorities(in file: String) throws(BrokerError) -> [NIOSSLCertificate] {
        let certificates: [NIOSSLCertificate]
        do {
            certificates = try NIOSSLCertificate.fromPEMFile(file)
        } catch {
            throw BrokerError("cannot read certificates in \(file): \(error)")
        }
        guard !certificates.isEmpty else { throw BrokerError("\(file) has no certificate") }
        return certificates
    }

    /// SHA-256 of the SubjectPublicKeyInfo of what the other end of `channel` showed; nil where that is nothing.
    static func pin(of channel: any Channel) async -> [UInt8]? {
        guard let certificate = try? await channel.nioSSL_peerCertificate().get(),
            let key = try? certificate.extractPublicKey().toSPKIBytes()
        else { return nil }
        return Digest.sha256(key)
    }
}
