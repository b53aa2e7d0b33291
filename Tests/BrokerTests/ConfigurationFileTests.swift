// SPDX-License-Identifier: Apache-2.0
import Broker
import Foundation
import Testing

/// The file that `serve --config` takes.
@Suite struct ConfigurationFileTests {
    private func file(_ text: String) -> ConfigurationFile { ConfigurationFile(parsing: Array(text.utf8)) }

    @Test func `every member is a setting`() {
        let file = file(
            """
            {"directory": "/srv/broker", "listen": "[::]:8443", "operations": "127.0.0.1:9464", "tls_cert": "c", "tls_key": "k",
             "no_tls": false, "minimum_tcb": ["tdx=18"], "collateral": ["a", "b"], "revocation_list": ["l"], "amd_kds": "off", "intel_pcs": "http://[::1]:1",
             "trust_simulator": "t", "connections": 1, "client_connections": 0, "client_rate": 7}
            """)
        var settings = ServeSettings()
        settings.directory = "/srv/broker"
        settings.listen = "[::]:8443"
        settings.operations = "127.0.0.1:9464"
        settings.tlsCert = "c"
        settings.tlsKey = "k"
        settings.noTLS = false
        settings.minimumTCB = ["tdx=18"]
        settings.collateral = ["a", "b"]
        settings.revocationLists = ["l"]
        settings.amdKeyService = "off"
        settings.intelCollateralService = "http://[::1]:1"
        settings.trustSimulator = "t"
        settings.connections = 1
        settings.connectionsPerClient = 0
        settings.requestsPerSecond = 7
        #expect(file.problems.isEmpty && file.settings == settings)
    }

    @Test func `all that is wrong is said, by line`() {
        let file = file(
            """
            {
              "listen": 8443, "amd_kds": "off", "intel_pcs": "http://[::1]:1",
              "text": "a \\" quote\\n, and \\"listen\\": 1",

              "collateral": [{"client_rate": 1}],
              "client_rate": -1,
              "connections": 0
            }
            """)
        #expect(file.problems.map(\.line) == [2, 3, 5, 6, 7])
        #expect(file.problems[0].message == "listen: must be a string")
        #expect(file.problems[1].message == "text: is no setting")
        #expect(file.problems[3].message == "client_rate: must be from 0 to 1000000, not -1")
    }

    @Test(arguments: [
        ("{\n\"listen\": \"a\",\n}", 3), ("[]", 1), ("{\"a\":1,\n\"a\":1}", 2), ("", 1), ("{\"listen\":\"\u{0}\"}", 1),
        ("{\n\"listen\": \"never ends\n", 2),
    ])
    func `what is no JSON object has a line`(text: String, line: Int) {
        let file = file(text)
        #expect(file.problems.count == 1)
        #expect(file.problems.first?.line == line, "\(file.problems)")
    }

    @Test func `options go before the file, and TLS is one decision`() {
        var options = ServeSettings()
        options.listen = "127.0.0.1:1"
        options.noTLS = true
        var file = ServeSettings()
        file.listen = "0.0.0.0:2"
        file.tlsCert = "c"
        file.tlsKey = "k"
        file.requestsPerSecond = 5
        let both = options.or(file)
        #expect(both.listen == "127.0.0.1:1" && both.requestsPerSecond == 5)
        #expect(both.noTLS == true && both.tlsCert == nil && both.tlsKey == nil)
        #expect(ServeSettings().or(file) == file)
    }
}
