// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird

/// A request with its peer's address.
struct BrokerRequestContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// IP address, without the port; `unknown` where the socket has none.
    let remote: String
    /// SHA-256 of the SubjectPublicKeyInfo of the certificate that the peer showed; nil where it was not asked for one.
    var clientPin: [UInt8]?
    let notes = RequestNotes()

    init(source: ApplicationRequestContextSource) {
        self.coreContext = CoreRequestContextStorage(source: source)
        self.remote = source.channel.remoteAddress?.ipAddress ?? "unknown"
    }

    /// Hummingbird's own limit, which only `decode` uses.
    var maxUploadSize: Int { 0 }
}
