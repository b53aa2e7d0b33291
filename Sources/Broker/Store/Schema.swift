// SPDX-License-Identifier: Apache-2.0

/// The tables, one migration per change, for each database. A migration that was released is never edited: a new one follows it.
enum Schema {
    struct Migration {
        let name: String
        let script: String
    }

    static let sqlite = [
        Migration(name: "v1", script: owners + revocations + audit),
        Migration(name: "reference sets", script: referenceSets),
        // `audit.resource`: what a KBS client asked for; empty where it was an envelope.
        Migration(name: "resources", script: resources + "ALTER TABLE audit ADD COLUMN resource TEXT;"),
        Migration(name: "certificates", script: CertificateTable.definition),
        Migration(name: "audit chain", script: chain),
        Migration(name: "keys", script: KeyTable.definition(integer: "INTEGER", suffix: " STRICT, WITHOUT ROWID")),
        Migration(name: "administration", script: administration(integer: "INTEGER", end: "STRICT, WITHOUT ROWID")),
        Migration(name: "standing", script: StandingStamp.sqlite),
    ]

    static let postgres = [
        Migration(name: "v1", script: Schema.postgresTables),
        Migration(name: "keys", script: KeyTable.definition(integer: "BIGINT", suffix: "")),
        Migration(name: "administration", script: administration(integer: "BIGINT", end: "")),
        Migration(name: "standing", script: StandingStamp.postgres),
    ]

    static func newer(_ place: String) -> BrokerError {
        BrokerError("\(place) was written by a newer cvm-clevis-broker", hint: "upgrade this one")
    }

    private static let owners = """
        CREATE TABLE owner (
            thumbprint TEXT NOT NULL PRIMARY KEY,
            name       TEXT NOT NULL UNIQUE,
            jwk        TEXT NOT NULL,
            enrolled_at INTEGER NOT NULL,
            not_before INTEGER NOT NULL
        ) STRICT;
        """

    /// `owner` is empty where a chip is revoked for everybody. No reference to `owner`: what was revoked stays revoked when an
    /// owner is removed and enrolled again.
    private static let revocations = """
        CREATE TABLE revocation (
            kind  TEXT NOT NULL CHECK (kind IN ('binding', 'chip')),
            owner TEXT NOT NULL,
            value TEXT NOT NULL,
            revoked_at INTEGER NOT NULL,
            note  TEXT NOT NULL,
            PRIMARY KEY (kind, owner, value),
            CHECK (kind = 'chip' OR owner <> '')
        ) STRICT, WITHOUT ROWID;
        """

    /// Rows are only ever added. `reasons` is a JSON array of `{"predicate","expected","actual"}`.
    private static let audit = """
        CREATE TABLE audit (
            id       INTEGER PRIMARY KEY AUTOINCREMENT,
            at       INTEGER NOT NULL,
            decision TEXT NOT NULL,
            owner    TEXT,
            binding  TEXT,
            chip     TEXT,
            remote   TEXT NOT NULL,
            simulated INTEGER NOT NULL,
            reason   TEXT NOT NULL,
            reasons  TEXT NOT NULL
        ) STRICT;
        CREATE INDEX audit_owner ON audit (owner, id);
        CREATE TRIGGER audit_keeps BEFORE UPDATE ON audit
            BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
        CREATE TRIGGER audit_stays BEFORE DELETE ON audit
            BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
        """

    /// Entries from before have no place in a chain. `hash` is base64url, `key` a JWK, `head` what a replica signed last.
    private static let chain = """
        ALTER TABLE audit ADD COLUMN replica TEXT;
        ALTER TABLE audit ADD COLUMN seq INTEGER;
        ALTER TABLE audit ADD COLUMN hash TEXT;
        CREATE UNIQUE INDEX audit_chain ON audit (replica, seq);
        CREATE TABLE replica (
            id   TEXT NOT NULL PRIMARY KEY,
            key  TEXT NOT NULL,
            seq  INTEGER NOT NULL,
            hash TEXT NOT NULL,
            head TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
        """

    /// The newest set of each name, as its owner signed it. Rows stay when an owner is removed, so that an older version cannot
    /// come back with the owner.
    private static let referenceSets = """
        CREATE TABLE reference_set (
            owner   TEXT NOT NULL,
            name    TEXT NOT NULL,
            version INTEGER NOT NULL,
            text    TEXT NOT NULL,
            added_at INTEGER NOT NULL,
            PRIMARY KEY (owner, name)
        ) STRICT, WITHOUT ROWID;
        CREATE TRIGGER reference_set_rises BEFORE UPDATE ON reference_set WHEN NEW.version <= OLD.version
            BEGIN SELECT RAISE(ABORT, 'the version of a reference set only rises'); END;
        CREATE TRIGGER reference_set_stays BEFORE DELETE ON reference_set
            BEGIN SELECT RAISE(ABORT, 'reference sets stay'); END;
        """

    /// `policy` is JSON, `sealed` base64url of what docs/spec/broker.md §7.3 says. No reference to `owner`: an owner who is
    /// removed and enrolled again finds everything, and until then nobody gets it.
    private static let resources = """
        CREATE TABLE resource (
            path   TEXT NOT NULL PRIMARY KEY,
            owner  TEXT NOT NULL,
            policy TEXT NOT NULL,
            size   INTEGER NOT NULL,
            set_at INTEGER NOT NULL,
            key_id TEXT NOT NULL,
            sealed TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX resource_owner ON resource (owner, path);
        """

    /// `token.hash` is base64url, `owner` empty for an operator's token, `scopes` names with spaces between, `pin` base64url.
    /// `repository`: whose resources may lie there; those that nobody has are filled by commands only. `audit.actor` and `action`:
    /// who asked over HTTP, and for what.
    private static func administration(integer: String, end: String) -> String {
        """
        CREATE TABLE token (
            id     TEXT NOT NULL PRIMARY KEY,
            hash   TEXT NOT NULL,
            owner  TEXT NOT NULL,
            scopes TEXT NOT NULL,
            note   TEXT NOT NULL,
            pin    TEXT,
            created_at \(integer) NOT NULL,
            expires_at \(integer) NOT NULL,
            used_at \(integer) NOT NULL
        ) \(end);
        CREATE TABLE repository (
            name  TEXT NOT NULL PRIMARY KEY,
            owner TEXT NOT NULL
        ) \(end);
        CREATE TABLE default_policy (
            owner  TEXT NOT NULL PRIMARY KEY,
            policy TEXT NOT NULL
        ) \(end);
        ALTER TABLE audit ADD COLUMN actor TEXT;
        ALTER TABLE audit ADD COLUMN action TEXT;
        """
    }
}
