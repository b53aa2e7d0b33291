// SPDX-License-Identifier: Apache-2.0
package import HTTPClient
package import PinKit

/// Who reaches brokers.
package protocol Transport: Sendable {
    /// Brokers will be asked soon: what takes time and contacts nobody may start now.
    func prepare()

    /// A client of one exchange; nothing is contacted yet.
    func connect(tlsPin: [UInt8]?) throws(PinError) -> any Connection
}

package protocol Connection {
    func post(_ url: String, body: [UInt8], before deadline: Deadline) throws(PinError) -> HTTPResponse
}

/// Over HTTP.
struct HTTPTransport: Transport {
    private struct Client: Connection {
        let client: HTTPClient

        func post(_ url: String, body: [UInt8], before deadline: Deadline) throws(PinError) -> HTTPResponse {
            try client.post(url, body: body, before: deadline)
        }
    }

    func prepare() { HTTPClient.preload() }

    func connect(tlsPin: [UInt8]?) throws(PinError) -> any Connection { Client(client: try HTTPClient(tlsPin: tlsPin)) }
}
