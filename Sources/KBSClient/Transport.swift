// SPDX-License-Identifier: Apache-2.0
package import HTTPClient
package import PinKit

/// Who reaches brokers.
package protocol Transport: Sendable {
    /// Brokers will be asked soon: what takes time and contacts nobody may start now.
    func prepare()

    /// A client of one exchange; nothing is contacted yet.
    func connect(trusting trust: ServerTrust) throws(PinError) -> any Connection
}

package protocol Connection {
    /// A GET where there is no body, else a POST.
    func send(_ body: [UInt8]?, to url: String, before deadline: Deadline) throws(PinError) -> HTTPResponse
}

/// How a server is known; parameters as of ``HTTPClient``.
package struct ServerTrust: Sendable, Equatable {
    package let tlsPin: [UInt8]?
    package let authorities: [UInt8]
    package let allowsPlainHTTP: Bool

    package init(tlsPin: [UInt8]?, authorities: [UInt8] = [], allowsPlainHTTP: Bool = false) {
        self.tlsPin = tlsPin
        self.authorities = authorities
        self.allowsPlainHTTP = allowsPlainHTTP
    }
}

/// Over HTTP.
package struct HTTPTransport: Transport {
    private struct Client: Connection {
        let client: HTTPClient

        func send(_ body: [UInt8]?, to url: String, before deadline: Deadline) throws(PinError) -> HTTPResponse {
            guard let body else { return try client.get(url, before: deadline) }
            return try client.post(url, body: body, before: deadline)
        }
    }

    package init() {}

    package func prepare() { HTTPClient.preload() }

    package func connect(trusting trust: ServerTrust) throws(PinError) -> any Connection {
        Client(
            client: try HTTPClient(
                tlsPin: trust.tlsPin, authorities: trust.authorities, allowsPlainHTTP: trust.allowsPlainHTTP))
    }
}
