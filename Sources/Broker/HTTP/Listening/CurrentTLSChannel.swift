// SPDX-License-Identifier: Apache-2.0
internal import HummingbirdCore
internal import HummingbirdTLS
internal import Logging
internal import NIOCore
internal import Synchronization

/// Sets connections up with the TLS key that is current when they come; those that are open keep theirs.
final class CurrentTLSChannel<Base: ServerChildChannel>: ServerChildChannel {
    typealias Value = Base.Value

    private struct Held {
        let pin: [UInt8]
        let channel: TLSChannel<Base>
        /// Of a key that could not be used: noted once.
        var refused: [UInt8]?
    }

    private let base: Base
    private let certificates: ClientCertificates
    private let key: @Sendable () -> TLSKey?
    private let held: Mutex<Held>
    private let log = RequestLog()

    /// `key`: the one to serve with at the moment.
    init(_ base: Base, asking certificates: ClientCertificates, _ key: @escaping @Sendable () -> TLSKey?) throws(BrokerError)
    {
        guard let first = key() else { throw BrokerError("this broker has no TLS key of its own") }
        self.base = base
        self.certificates = certificates
        self.key = key
        held = Mutex(try Self.made(base, certificates, first))
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        current().setup(channel: channel, logger: logger)
    }

    func handle(value: Value, logger: Logger) async { await base.handle(value: value, logger: logger) }

    /// With the key of before where a new one cannot be used.
    private func current() -> TLSChannel<Base> {
        let key = key()
        return held.withLock { held in
            guard let key, key.pin != held.pin, key.pin != held.refused else { return held.channel }
            do throws(BrokerError) {
                held = try Self.made(base, certificates, key)
            } catch {
                held.refused = key.pin
                log.note(.error, "tls", "\(error)")
            }
            return held.channel
        }
    }

    private static func made(
        _ base: Base, _ certificates: ClientCertificates, _ key: TLSKey
    ) throws(BrokerError) -> Held {
        let configuration = try certificates.demand(of: key.configuration())
        do {
            return Held(pin: key.pin, channel: try TLSChannel(base, configuration: configuration))
        } catch {
            throw BrokerError("cannot use TLS key \(key.id): \(error)")
        }
    }
}
