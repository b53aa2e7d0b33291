// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// Certificates that a vendor gave, each verified before it came here, and what the vendor said it does not have.
enum CertificateTable {
    /// `der` is in base64url, and NULL where the vendor has none; `until` is when that is to be asked again, and 0 for
    /// certificates.
    static let definition = """
        CREATE TABLE certificate (
            name  TEXT NOT NULL PRIMARY KEY,
            der   TEXT,
            until INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        """
}

/// What is known of a certificate without asking anybody.
package enum KnownCertificate: Sendable, Equatable {
    case present([UInt8])
    case absent
}

extension Store {
    /// nil where nothing is known at `now`.
    func certificate(_ name: String, at now: Int64) throws(BrokerError) -> KnownCertificate? {
        try read("read a certificate") { transaction in
            let row = try transaction.row("SELECT der, until FROM certificate WHERE name = ?1", [name])
            guard let row else { return nil }
            if let der = try row.optionalText("der") { return Base64URL.decode(der).map { .present($0) } }
            return try row.integer("until") > now ? .absent : nil
        }
    }

    /// Remembers; what the vendor did not have is forgotten when its time is over.
    func remember(_ certificate: KnownCertificate, as name: String, until: Int64, at now: Int64) throws(BrokerError) {
        try write("keep a certificate") { transaction in
            try transaction.rows("DELETE FROM certificate WHERE der IS NULL AND until <= ?1", [now])
            var der: String?
            if case .present(let bytes) = certificate { der = Base64URL.encode(bytes) }
            try transaction.rows(
                """
                INSERT INTO certificate (name, der, until) VALUES (?1, ?2, ?3)
                ON CONFLICT (name) DO UPDATE SET der = ?2, until = ?3
                """,
                [name, der, der == nil ? until : 0])
        }
    }
}
