// SPDX-License-Identifier: Apache-2.0
internal import GRDB

extension Store {
    /// Throws where nothing can be read.
    func check() throws(BrokerError) {
        _ = try read("read the store") { try Int.fetchOne($0, sql: "SELECT 1 FROM owner LIMIT 1") }
    }
}
