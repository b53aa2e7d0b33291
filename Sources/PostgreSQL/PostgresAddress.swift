// SPDX-License-Identifier: Apache-2.0
internal import CPQ

/// Which server, and how it is to be reached: a URL as libpq has them, without a password.
package struct PostgresAddress: Sendable {
    package let url: String
    /// TLS and the server's name are checked where the way leads off this machine and the URL says nothing else.
    let defaultTLS: String

    package static func isAddress(_ text: String) -> Bool {
        text.hasPrefix("postgres://") || text.hasPrefix("postgresql://")
    }

    package init(_ url: String) throws(PostgresError) {
        let options = try Self.parse(url)
        guard options["password"] == nil else {
            throw PostgresError(
                description: "a password is not for a URL: everybody on the machine can read it there",
                hint: "put it into ~/.pgpass (mode 0600), or name such a file: ?passfile=FILE")
        }
        self.url = url
        defaultTLS = Self.isLocal(options["hostaddr"] ?? options["host"] ?? "") ? "prefer" : "verify-full"
    }

    private static func isLocal(_ hosts: String) -> Bool {
        hosts.split(separator: ",").allSatisfy { host in
            host.hasPrefix("/") || host == "localhost" || host == "::1" || host == "127.0.0.1"
        }
    }

    private static func parse(_ url: String) throws(PostgresError) -> [String: String] {
        let pq = try unsafe LibPQ.functions()
        var message: UnsafeMutablePointer<CChar>?
        guard let options = unsafe pq.pointee.conninfoParse(url, &message) else {
            // libpq's words may repeat the URL, and with it a password.
            if let message = unsafe message { unsafe pq.pointee.freemem(message) }
            throw PostgresError(
                description: "the store's URL is none that libpq understands",
                hint: "postgres://USER@HOST/DATABASE?sslrootcert=FILE")
        }
        defer { unsafe pq.pointee.conninfoFree(options) }
        var values: [String: String] = [:]
        var option = unsafe options
        while let keyword = unsafe option.pointee.keyword {
            if let value = unsafe option.pointee.val { unsafe values[String(cString: keyword)] = String(cString: value) }
            unsafe option += 1
        }
        return values
    }
}
