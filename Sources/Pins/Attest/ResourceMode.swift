// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol
internal import FileIO
internal import KBSClient
internal import PinKit

/// Makes the content key from a resource: read from a file by who has it, or got from the server as at opening.
struct ResourceEncryptor: Encryptor {
    private static let seconds = 120

    let terms: ResourceConfiguration
    let platform: Platform
    let reporter: any EvidenceReporter
    let transport: any Transport

    func encrypt(_ secret: borrowing SecretBytes) throws(PinError) -> JWE {
        let parameters = ResourceParameters(
            terms.terms, salt: try Random.bytes(ResourceParameters.saltSize), platform: platform)
        let key = try parameters.contentKey(from: resource())
        return try JWE.encrypt(secret, contentKey: key, header: parameters.header)
    }

    private func resource() throws(PinError) -> SecretBytes {
        guard let file = terms.file else {
            do throws(PinError) {
                try reporter.requirePlatform()
            } catch {
                throw PinError(
                    error.code, step: error.step,
                    detail: "\(error.detail); outside of the guest say what the resource holds: \"file\":\"PATH\"")
            }
            let guest = KBSGuest(
                platform, reporter: reporter, transport: transport, before: .after(seconds: Self.seconds))
            return try guest.fetch(terms.terms.resource, from: [terms.terms.server])
        }
        do throws(FileError) {
            return try FileIO.readSecret(file, limit: ResourceParameters.resourceCount.upperBound)
        } catch {
            throw PinError(.failed, step: "read the resource", detail: error.description)
        }
    }
}

/// Which resource of which server: what messages and configurations share.
struct ResourceTerms: Equatable {
    let server: KBSServer
    let resource: String

    fileprivate init(_ reader: inout JSONReader) throws(JSONError) {
        let url = try BrokerURL(try reader.string("url"), at: "url")
        let resource = try reader.string("resource")
        guard ResourceName.isValid(resource) else {
            throw reader.error(at: "resource", "must be REPOSITORY/TYPE/TAG, such as default/disk/root")
        }
        let tls = try reader.optionalBase64URL("tls", count: 32)
        let text = try reader.optionalString("version")
        let version = text.flatMap { KBSVersion(rawValue: $0) }
        guard text == nil || version != nil else { throw reader.error(at: "version", "must be 0.1.1, 0.2.0 or 0.4.0") }
        self.resource = resource
        server = KBSServer(url: url, trust: ServerTrust(tlsPin: tls), version: version)
    }

    fileprivate var members: JSONObject {
        var members: JSONObject = ["resource": .string(resource), "url": .string(server.url.text)]
        members["tls"] = server.trust.tlsPin.map { .string(Base64URL.encode($0)) }
        members["version"] = server.version.map { .string($0.rawValue) }
        return members
    }
}

/// What a message of mode *kbs* says in its header (docs/spec/pins.md §9).
struct ResourceParameters {
    static let mode = "kbs"
    static let saltSize = 16
    /// Bytes of a resource that a key is made of.
    static let resourceCount = 32...(64 << 10)
    private static let label = Array("cvm-clevis kbs v1".utf8) + [0]

    let terms: ResourceTerms
    private let salt: [UInt8]
    private let platform: Platform

    /// Whether a message is of this mode, or claims to be.
    static func are(in message: JWE) -> Bool { message.parameters?["mode"]?.string == mode }

    init(_ terms: ResourceTerms, salt: [UInt8], platform: Platform) {
        self.terms = terms
        self.salt = salt
        self.platform = platform
    }

    /// `.malformed` for anything that ``header`` would not have written.
    init(_ message: JWE, of platform: Platform) throws(PinError) {
        guard message.pin == platform.pin else { throw JWE.malformed("it is no message of \(platform.pin)") }
        do throws(JSONError) {
            var reader = try JSONReader(message.parameters ?? .null, at: platform.pin)
            _ = reader.optional("mode")
            terms = try ResourceTerms(&reader)
            salt = try reader.base64URL("salt", count: Self.saltSize)
            try reader.finish()
        } catch {
            throw JWE.malformed(error.description)
        }
        self.platform = platform
    }

    /// The message's protected header, without `alg` and `enc`.
    var header: JSONObject { ["clevis": ["pin": .string(platform.pin), platform.pin: json]] }

    private var json: JSON {
        var members = terms.members
        members["mode"] = .string(Self.mode)
        members["salt"] = .string(Base64URL.encode(salt))
        return .object(members)
    }

    /// The message's content key. All parameters go into it, so that a header that was changed opens nothing.
    func contentKey(from resource: borrowing SecretBytes) throws(PinError) -> SecretBytes {
        let counts = Self.resourceCount
        guard counts.contains(resource.count) else {
            throw PinError(
                .refused, step: "resource",
                detail: "\(terms.resource) is \(resource.count) bytes, not \(counts.lowerBound) to \(counts.upperBound)")
        }
        return try resource.hkdf(salt: salt, info: Self.label + Array(json.canonical.utf8))
    }
}

/// The configuration of mode *kbs*.
struct ResourceConfiguration {
    let terms: ResourceTerms
    /// What the resource holds; nil where the server is to be asked.
    let file: String?

    init(_ configuration: JSON) throws(PinError) {
        do throws(JSONError) {
            var members = configuration.object ?? [:]
            // Brought in by defaults for the other mode.
            for name in ["mode", "broker", "policy"] { members[name] = nil }
            // Says that a key which defaults name is not this server's.
            if members["tls"] == .null { members["tls"] = nil }
            var reader = JSONReader(members)
            terms = try ResourceTerms(&reader)
            file = try reader.optionalString("file")
            try reader.finish()
        } catch {
            throw PinError(.malformed, step: "configuration", detail: error.description)
        }
    }
}
