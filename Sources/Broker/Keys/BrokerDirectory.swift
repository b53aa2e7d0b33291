// SPDX-License-Identifier: Apache-2.0
public import BrokerProtocol
internal import FileIO
internal import Glibc
internal import PinKit
internal import PostgreSQL

/// The directory that is a broker: its keys, its database, and what its owners need to know about it.
///
/// | file | mode | holds |
/// |---|---|---|
/// | `envelope.jwk` | 0600 | the private P-256 key that envelopes are encrypted to |
/// | `nonce.key` | 0600 | 32 bytes that seal nonces; replicas share them |
/// | `session.key` | 0600 | 32 bytes that seal KBS sessions; replicas share them |
/// | `token.pem` | 0600 | the private P-256 key that signs attestation tokens |
/// | `resource.key` | 0600 | 32 bytes that seal resources in the database |
/// | `audit.pem` | 0600 | the private P-256 key that signs heads of this replica's audit chain; no other replica has it |
/// | `tls-key.pem`, `tls-cert.pem` | 0600, 0644 | the self-made TLS identity, where there is one |
/// | `public.json` | 0644 | for owners: address, public key, TLS pin |
/// | `broker.sqlite` | 0600 | owners, revocations, resources, the audit log; or, in its place: |
/// | `store.url` | 0644 | which PostgreSQL server has them |
public struct BrokerDirectory: Sendable {
    public let path: String

    /// Where the store is, if not where `init` put it: the URL of a PostgreSQL server.
    private let storeURL: String?

    public init(_ path: String, store: String? = nil) {
        self.path = path
        storeURL = store
    }

    public var publicFile: String { "\(path)/public.json" }
    package var tlsCertificate: String { "\(path)/tls-cert.pem" }
    package var tlsKey: String { "\(path)/tls-key.pem" }
    package var envelopeKey: String { "\(path)/envelope.jwk" }
    package var nonceKey: String { "\(path)/nonce.key" }
    package var sessionKey: String { "\(path)/session.key" }
    package var tokenKey: String { "\(path)/token.pem" }
    package var resourceKey: String { "\(path)/resource.key" }
    package var auditKey: String { "\(path)/audit.pem" }
    package var database: String { "\(path)/broker.sqlite" }
    /// Names the server, where the store is no file.
    private var storeFile: String { "\(path)/store.url" }

    /// Makes a new broker at `path`, which must not exist or be empty, and returns what its owners need.
    ///
    /// `selfSigned` false leaves the TLS identity out, for a broker whose certificate comes from elsewhere. Nothing is ever
    /// overwritten; what a failed attempt wrote is removed again.
    public static func create(
        at path: String, store: String? = nil, url: BrokerURL, selfSigned: Bool, now: Int64
    ) throws(BrokerError) -> PublicDescription {
        let directory = BrokerDirectory(path, store: store)
        try directory.claim()
        do throws(BrokerError) {
            return try directory.fill(url: url, selfSigned: selfSigned, now: now)
        } catch {
            directory.removeFiles()
            throw error
        }
    }

    /// What `public.json` says.
    public func publicDescription() throws(BrokerError) -> PublicDescription {
        try requireBroker()
        return try PublicDescription(parsing: KeyFile.readText(publicFile), at: publicFile)
    }

    /// The keys of a broker that `create` made.
    public func loadKeys() throws(BrokerError) -> BrokerKeys {
        try requireBroker()
        return try BrokerKeys(in: self)
    }

    /// A file, or the URL of a PostgreSQL server.
    func storePlace() throws(BrokerError) -> String {
        if let storeURL { return try Self.checked(storeURL) }
        guard FileIO.exists(storeFile) else { return database }
        let text = try KeyFile.readText(storeFile)
        return try Self.checked(String(text.prefix { !$0.isNewline }))
    }

    private static func checked(_ url: String) throws(BrokerError) -> String {
        guard PostgresAddress.isAddress(url) else {
            throw BrokerError("\(printable(url)) is no store", hint: "postgres://USER@HOST/DATABASE")
        }
        return url
    }

    /// The key that resources are sealed with, for who stores one.
    public func resourceSealer() throws(BrokerError) -> ResourceSealer {
        try requireBroker()
        return ResourceSealer(try BrokerKeys.sealer(resourceKey))
    }

    /// The TLS identity that `create` made.
    public func selfMadeTLS() throws(BrokerError) -> BrokerServer.Transport {
        guard FileIO.exists(tlsKey) else {
            throw BrokerError("\(path) has no TLS key of its own", hint: "serve with --tls-cert CHAIN.pem --tls-key KEY.pem")
        }
        try KeyFile.requirePrivate(tlsKey)
        return .tls(certificate: tlsCertificate, key: tlsKey)
    }

    /// The name of this replica's audit chain; nil where it never had a key for one.
    public func auditReplica() throws(BrokerError) -> String? {
        FileIO.exists(auditKey) ? try BrokerKeys.signingKey(auditKey).publicKey.thumbprint : nil
    }

    /// Takes a backup into this broker's store, which must be empty, and goes on with this replica's chain in it. Returns how many
    /// rows.
    @discardableResult
    public func restore(from path: String, now: Int64) throws(BrokerError) -> Int {
        let store = try Store(in: self)
        let rows = try store.restore(from: path)
        _ = try AuditChain(key: BrokerKeys.signingKey(auditKey), store: store, at: now)
        return rows
    }

    /// Whether guests that follow `public.json` will accept this certificate: its key is the one pinned there, or none is.
    public func pins(certificate path: String) throws(BrokerError) -> Bool {
        guard let pin = try publicDescription().tls else { return true }
        return try TLSIdentity.pin(ofCertificate: KeyFile.readText(path)) == pin
    }

    /// Throws unless `create` has finished here.
    func requireBroker() throws(BrokerError) {
        guard FileIO.exists(publicFile) else {
            throw BrokerError("\(path) is not a broker's directory", hint: "make one with: cvm-clevis-broker init \(path)")
        }
    }

    private func claim() throws(BrokerError) {
        let names = try BrokerError.wrapping { () throws(FileError) in
            try FileIO.makeDirectory(path, mode: 0o700)
            return try FileIO.names(in: path)
        }
        guard names.isEmpty else {
            throw BrokerError(
                "\(path) is not empty (\(names.sorted()[0])): nothing was changed",
                hint: "a broker's keys are made once; choose another directory for another broker")
        }
    }

    /// `public.json` comes last: where it is, everything is.
    private func fill(
        url: BrokerURL, selfSigned: Bool, now: Int64
    ) throws(BrokerError) -> PublicDescription {
        let envelope = try BrokerKeys.generate(in: self)
        if let storeURL {
            try KeyFile.create(storeFile, text: Self.checked(storeURL) + "\n")
        } else {
            try KeyFile.create(database, secret: SecretBytes(copyingPublic: []))
        }
        _ = try AuditChain(key: BrokerKeys(in: self).audit, store: Store(at: storePlace()), at: now)
        var pin: [UInt8]?
        if selfSigned {
            let identity = try TLSIdentity.selfSigned(host: url.host, now: now)
            try KeyFile.create(tlsKey, secret: identity.key)
            try KeyFile.create(tlsCertificate, text: identity.certificate)
            pin = identity.pin
        }
        let description = PublicDescription(url: url, broker: envelope, tls: pin)
        try KeyFile.create(publicFile, text: description.json.pretty + "\n")
        return description
    }

    private func removeFiles() {
        for file in [
            publicFile, tlsCertificate, tlsKey, envelopeKey, nonceKey, sessionKey, tokenKey, resourceKey, auditKey,
            storeFile, database,
            database + "-wal", database + "-shm",
        ] {
            unsafe unlink(file)
        }
    }
}
