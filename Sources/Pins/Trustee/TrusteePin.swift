// SPDX-License-Identifier: Apache-2.0
package import BrokerProtocol
package import KBSClient
public import PinKit

/// A key that servers of the KBS protocol give to guests that their operator trusts, as clevis-pin-trustee stores it.
///
/// Compatible with that program's 0.1 in both directions. Configuration: `{"servers":[{"url":…,"cert":…}],"path":…}`; binding
/// asks for the key, too, and so works only where opening does. Format: docs/spec/pins.md §10.
public struct TrusteePin: BatchPin {
    private static let seconds = 120

    public let name = "trustee"
    private let reporters: [(platform: Platform, reporter: any EvidenceReporter)]
    private let transport: any Transport

    public init() {
        let reporters = Platform.allCases.map { ($0, KernelReporter($0) as any EvidenceReporter) }
        self.init(reporters: reporters, transport: HTTPTransport())
    }

    /// The first of `reporters` whose platform is there is asked.
    package init(reporters: [(platform: Platform, reporter: any EvidenceReporter)], transport: any Transport) {
        self.reporters = reporters
        self.transport = transport
    }

    public func encryptor(for configuration: JSON, in binding: Binding) throws(PinError) -> any Encryptor {
        TrusteeEncryptor(pin: self, terms: try TrusteeTerms(configuration, step: "configuration", isStrict: true))
    }

    public func decrypt(_ messages: [JWE], in run: Run, deliver: (Int, consuming Recovered) -> Void) {
        do throws(PinError) {
            let guest = try guest(before: run.deadline)
            guest.open(resources(messages, deliver), deliver: deliver)
        } catch {
            for index in messages.indices { deliver(index, .failure(error)) }
        }
    }

    private func resources(_ messages: [JWE], _ deliver: (Int, consuming Recovered) -> Void) -> [ResourceMessage] {
        var resources: [ResourceMessage] = []
        for (index, message) in messages.enumerated() {
            do throws(PinError) {
                let header = message.header["clevis"] ?? .null
                let terms = try TrusteeTerms(header, step: "read a trustee header", isStrict: false)
                resources.append(
                    ResourceMessage(
                        index: index, message: message, servers: terms.servers, resource: terms.path
                    ) { (resource) throws(PinError) in try KeyText.readCharacters(resource) })
            } catch {
                deliver(index, .failure(error))
            }
        }
        return resources
    }

    fileprivate func guest(before deadline: Deadline) throws(PinError) -> KBSGuest {
        var absence: [String] = []
        for (platform, reporter) in reporters {
            do throws(PinError) {
                try reporter.requirePlatform()
                transport.prepare()
                return KBSGuest(platform, reporter: reporter, transport: transport, before: deadline)
            } catch {
                absence.append(error.detail)
            }
        }
        throw PinError(.unavailable, step: "report", detail: absence.joined(separator: "; "))
    }

    fileprivate func key(_ terms: TrusteeTerms) throws(PinError) -> SecretBytes {
        let resource = try guest(before: .after(seconds: Self.seconds)).fetch(terms.path, from: terms.servers)
        return try KeyText.readCharacters(resource)
    }
}

fileprivate struct TrusteeEncryptor: Encryptor {
    let pin: TrusteePin
    let terms: TrusteeTerms

    func encrypt(_ secret: borrowing SecretBytes) throws(PinError) -> JWE {
        var members = terms.json
        members["pin"] = .string(pin.name)
        return try JWE.encrypt(secret, contentKey: pin.key(terms), header: ["clevis": .object(members)])
    }
}

/// Which key of which servers: the configuration, and beside `pin` the whole of `clevis` in a header.
fileprivate struct TrusteeTerms: Sendable {
    private static let serverCount = 1...16

    let servers: [KBSServer]
    let path: String
    /// As it was read, for the header.
    let json: JSONObject

    /// `isStrict`: a member that is not known is an error, and is not left to a later version of that program.
    init(_ json: JSON, step: String, isStrict: Bool) throws(PinError) {
        do throws(JSONError) {
            var reader = try JSONReader(json)
            let list = try reader.array("servers")
            guard Self.serverCount.contains(list.count) else { throw reader.error(at: "servers", "must be 1 to 16") }
            path = try reader.string("path")
            guard ResourceName.isValid(path) else {
                throw reader.error(at: "path", "must be REPOSITORY/TYPE/TAG, such as default/disk/root")
            }
            if isStrict { try reader.finish() }
            var servers: [KBSServer] = []
            for (index, server) in list.enumerated() { servers.append(try Self.server(server, "servers[\(index)]")) }
            self.servers = servers
            self.json = ["servers": .array(list), "path": .string(path)]
        } catch {
            throw PinError(.malformed, step: step, detail: error.description)
        }
    }

    /// Plain http too: resources are encrypted to a key that only the evidence vouches for, and what another server gives opens
    /// nothing. Without slashes at the end of the address, which that program does not mind.
    private static func server(_ json: JSON, _ place: String) throws(JSONError) -> KBSServer {
        var reader = try JSONReader(json, at: place)
        var address = try reader.string("url")
        while address.hasSuffix("/") { address.removeLast() }
        let certificate = try reader.optionalString("cert") ?? ""
        let trust = ServerTrust(tlsPin: nil, authorities: Array(certificate.utf8), allowsPlainHTTP: true)
        return KBSServer(url: try BrokerURL(address, at: "\(place).url"), trust: trust)
    }
}
