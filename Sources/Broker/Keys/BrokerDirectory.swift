// SPDX-License-Identifier: Apache-2.0
public import BrokerProtocol
internal import FileIO
internal import Glibc
internal import PinKit
internal import PostgreSQL

/// The directory that is a broker: where its store is, what opens the keys in it, and what its owners need to know about it.
///
/// | file | mode | holds |
/// |---|---|---|
/// | `resource.key` | 0600 | 32 bytes that seal keys and resources in the store; replicas share them |
/// | `audit.pem` | 0600 | the private P-256 key that signs heads of this replica's audit chain; no other replica has it |
/// | `tls-cert.pem` | 0644 | the certificate of the self-made TLS key, where there is one |
/// | `public.json` | 0644 | for owners: address, public key, TLS pin |
/// | `broker.sqlite` | 0600 | keys, owners, revocations, resources, the audit log; or, in its place: |
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
    package var resourceKey: String { "\(path)/resource.key" }
    /// The one that `rekey` is about to put in its place.
    var nextResourceKey: String { resourceKey + ".next" }
    package var auditKey: String { "\(path)/audit.pem" }
    package var database: String { "\(path)/broker.sqlite" }
    /// Names the server, where the store is no file.
    private var storeFile: String { "\(path)/store.url" }

    /// Makes a new broker at `path`, which must not exist or be empty, and returns what its owners need.
    ///
    /// `selfSigned` false leaves the TLS identity out, for a broker whose certificate comes from elsewhere. `resourceKey`: the
    /// file of that name of a broker that the store has keys of, to become a replica of it. Nothing is ever overwritten; what a
    /// failed attempt wrote is removed again.
    public static func create(
        at path: String, store: String? = nil, resourceKey: String? = nil, url: BrokerURL, selfSigned: Bool, now: Int64
    ) throws(BrokerError) -> PublicDescription {
        let directory = BrokerDirectory(path, store: store)
        try directory.claim()
        do throws(BrokerError) {
            return try directory.fill(resourceKey: resourceKey, url: url, selfSigned: selfSigned, now: now)
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

    /// The keys as they are now.
    package func loadKeys() throws(BrokerError) -> BrokerKeys {
        let now = systemSeconds()
        return try KeyRing(self, Store(in: self), at: now).keys(at: now)
    }

    /// Throws where a key file is missing or open to others.
    func checkKeyFiles() throws(BrokerError) {
        try requireBroker()
        let files = [resourceKey, auditKey] + KeyPurpose.allCases.map(formerFile(of:))
        for file in files where FileIO.exists(file) { try KeyFile.requirePrivate(file) }
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
        if !FileIO.exists(resourceKey) { _ = try firstKeys(in: Store(in: self), at: systemSeconds()) }
        return ResourceSealer(try resourceSealers()[0])
    }

    /// The keys that something in the store may be sealed with: while a new one takes over, both.
    func resourceSealers() throws(BrokerError) -> [Sealer] {
        guard FileIO.exists(resourceKey) else {
            throw BrokerError(
                "\(resourceKey) is missing, which the store's keys are sealed with",
                hint: "copy it from a replica or a safe place: mode 0600")
        }
        let current = try KeyFile.sealer(resourceKey)
        guard FileIO.exists(nextResourceKey) else { return [current] }
        return [current, try KeyFile.sealer(nextResourceKey)]
    }

    /// The name of this replica's audit chain; nil where it never had a key for one.
    public func auditReplica() throws(BrokerError) -> String? {
        FileIO.exists(auditKey) ? try KeyFile.signingKey(auditKey).publicKey.thumbprint : nil
    }

    /// Takes a backup into this broker's store, which must be empty, and goes on with its keys and this replica's chain. Returns
    /// how many rows.
    @discardableResult
    public func restore(from path: String, now: Int64) throws(BrokerError) -> Int {
        let store = try Store(in: self)
        // Backups of earlier versions have no keys, and the files that had them go with them.
        let former = KeyPurpose.allCases.filter { FileIO.exists(formerFile(of: $0)) }
        let rows = try store.restore(from: path, resourceSealers(), without: former)
        try publish(firstKeys(in: store, at: now), at: now)
        _ = try AuditChain(key: KeyFile.signingKey(auditKey), store: store, at: now)
        return rows
    }

    /// Whether guests that follow `public.json` will accept this certificate: its key is one that is pinned there, or none is.
    public func pins(certificate path: String) throws(BrokerError) -> Bool {
        guard let pins = try publicDescription().tls else { return true }
        let pin = try TLSIdentity.pin(ofCertificate: KeyFile.readText(path))
        return pins.count > TLSPins.length
            ? pins.starts(with: pin) || pins.dropFirst(TLSPins.length).starts(with: pin) : pins == pin
    }

    /// SHA-256 of the SubjectPublicKeyInfo of the first certificate in a PEM file.
    public static func certificatePin(_ path: String) throws(BrokerError) -> [UInt8] {
        try TLSIdentity.pin(ofCertificate: KeyFile.readText(path))
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

    private func fill(
        resourceKey given: String?, url: BrokerURL, selfSigned: Bool, now: Int64
    ) throws(BrokerError) -> PublicDescription {
        if let given {
            try KeyFile.create(resourceKey, secret: KeyFile.readSecret(given))
        } else {
            try KeyFile.createSealer(resourceKey)
        }
        if let storeURL {
            try KeyFile.create(storeFile, text: Self.checked(storeURL) + "\n")
        } else {
            try KeyFile.create(database, secret: SecretBytes(copyingPublic: []))
        }
        let store = try Store(at: storePlace())
        try requireRoom(in: store, given)
        _ = try AuditChain(key: KeyFile.signingKey(auditKey), store: store, at: now)
        return try addFirstKeys(to: store, url: url, selfSigned: selfSigned, now: now)
    }

    /// `public.json` comes last: where it is, everything is. It is there before the keys are in the store to stay, so that none
    /// are whose `resource.key` a failed attempt took away.
    private func addFirstKeys(
        to store: Store, url: BrokerURL, selfSigned: Bool, now: Int64
    ) throws(BrokerError) -> PublicDescription {
        let sealers = try resourceSealers()
        let audit = try KeyFile.signingKey(auditKey)
        let stored = try store.addKeys { stored in
            let host = selfSigned ? url.host : nil
            let missing = try missingKeys(stored, sealedBy: sealers[0], host: host, at: now)
            let keys = try KeySet(stored + missing, sealers).keys(at: now, audit: audit)
            if selfSigned, let key = keys.tls.first { try replace(tlsCertificate, key.certificate) }
            let pins = selfSigned ? keys.tlsPins : nil
            try write(PublicDescription(url: url, broker: keys.envelopes.current.publicKey, tls: pins))
            return missing
        }
        _ = try KeySet(stored, sealers)
        return try publicDescription()
    }

    /// Who makes a new broker does not become a replica of another by mistake, and none of nothing.
    private func requireRoom(in store: Store, _ given: String?) throws(BrokerError) {
        let isTaken = try !store.keys().isEmpty
        if isTaken, given == nil {
            throw BrokerError(
                "the store has a broker's keys already: nothing was changed",
                hint: "to make a replica of that broker: init --resource-key FILE, with its resource.key")
        }
    }

    private func removeFiles() {
        for file in [
            publicFile, tlsCertificate, resourceKey, auditKey, storeFile, database, database + "-wal",
            database + "-shm",
        ] {
            unsafe unlink(file)
        }
    }
}
