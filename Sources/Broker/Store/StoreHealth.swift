// SPDX-License-Identifier: Apache-2.0

extension Store {
    /// Throws where nothing can be read.
    func check() throws(BrokerError) {
        _ = try read("read the store") { try $0.rows("SELECT thumbprint FROM owner LIMIT 1") }
    }
}
