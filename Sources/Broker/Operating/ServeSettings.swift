// SPDX-License-Identifier: Apache-2.0
internal import FileIO
internal import PinKit

/// What `serve` is told: by options, by a file (docs/spec/broker.md §8.4), or by both, where options go first. Empty where nothing
/// was said.
public struct ServeSettings: Sendable, Equatable {
    public var directory: String?
    public var listen: String?
    public var operations: String?
    public var tlsCert: String?
    public var tlsKey: String?
    public var noTLS: Bool?
    public var minimumTCB: [String]?
    public var collateral: [String]?
    public var revocationLists: [String]?
    public var amdKeyService: String?
    public var intelCollateralService: String?
    public var trustSimulator: String?
    public var connections: Int?
    public var connectionsPerClient: Int?
    public var requestsPerSecond: Int?
    /// Administration over HTTP; nil where there is none. A file alone can turn it on.
    public var admin: AdminSettings?

    public init() {}

    /// These, and where they say nothing what `other` says.
    public func or(_ other: ServeSettings) -> ServeSettings {
        var settings = self
        settings.directory = directory ?? other.directory
        settings.listen = listen ?? other.listen
        settings.operations = operations ?? other.operations
        // One decision: options for a certificate undo a file's plain HTTP, and the other way round.
        if tlsCert == nil, tlsKey == nil, noTLS == nil {
            (settings.tlsCert, settings.tlsKey, settings.noTLS) = (other.tlsCert, other.tlsKey, other.noTLS)
        }
        settings.minimumTCB = minimumTCB ?? other.minimumTCB
        settings.collateral = collateral ?? other.collateral
        settings.revocationLists = revocationLists ?? other.revocationLists
        settings.amdKeyService = amdKeyService ?? other.amdKeyService
        settings.intelCollateralService = intelCollateralService ?? other.intelCollateralService
        settings.trustSimulator = trustSimulator ?? other.trustSimulator
        settings.connections = connections ?? other.connections
        settings.connectionsPerClient = connectionsPerClient ?? other.connectionsPerClient
        settings.requestsPerSecond = requestsPerSecond ?? other.requestsPerSecond
        settings.admin = admin ?? other.admin
        return settings
    }
}

/// Member `admin` of the file: how administrators reach the broker.
public struct AdminSettings: Sendable, Equatable {
    /// An address of their own; nil for the guests'.
    public var listen: String?
    /// Clients must show a certificate there that an authority in this PEM file issued.
    public var clientCA: String?
    /// Clients must show a certificate there, and only tokens that name its key are taken.
    public var clientPins: Bool?

    public init() {}
}

/// What is wrong with a setting, and on which line of its file if it has one.
public struct SettingProblem: Error, Sendable, Equatable {
    /// The first is 1; 0 where it is about no line.
    public let line: Int
    public let message: String
    public let hint: String?

    package init(line: Int, message: String, hint: String? = nil) {
        self.line = line
        self.message = message
        self.hint = hint
    }
}

/// A configuration file: one JSON object, whose members are called as the options of `serve`, with `_` for `-`.
public struct ConfigurationFile: Sendable {
    /// Bytes of a file.
    private static let limit = 1 << 16

    public private(set) var settings = ServeSettings()
    /// What cannot be understood, by line.
    public private(set) var problems: [SettingProblem] = []
    private let lines: JSONLines

    /// Throws where the file cannot be read.
    public init(at path: String) throws(BrokerError) {
        self.init(
            parsing: try BrokerError.wrapping { () throws(FileError) in try FileIO.read(path, limit: ConfigurationFile.limit)
            })
    }

    package init(parsing text: [UInt8]) {
        lines = JSONLines(text)
        let object: JSONObject
        do throws(JSONError) {
            guard let parsed = try JSON(parsing: text, limit: Self.limit).object else {
                throw JSONError(place: "line 1", problem: "must be an object")
            }
            object = parsed
        } catch {
            problems = [SettingProblem(line: Self.line(in: error.place), message: error.description)]
            return
        }
        for member in object.members { read(member) }
        problems.sort { $0.line < $1.line }
    }

    /// The line of the member `name`, or of `admin.NAME`; 0 where the file does not have it.
    public func line(of name: String) -> Int { lines[name] ?? 0 }

    private mutating func read(_ member: JSONObject.Member) {
        var reader = JSONReader(JSONObject(dictionaryLiteral: (member.name, member.value)))
        do throws(JSONError) {
            switch member.name {
            case "directory": settings.directory = try reader.string(member.name)
            case "listen": settings.listen = try reader.string(member.name)
            case "operations": settings.operations = try reader.string(member.name)
            case "tls_cert": settings.tlsCert = try reader.string(member.name)
            case "tls_key": settings.tlsKey = try reader.string(member.name)
            case "no_tls": settings.noTLS = try reader.optionalBool(member.name)
            case "minimum_tcb": settings.minimumTCB = try reader.strings(member.name)
            case "collateral": settings.collateral = try reader.strings(member.name)
            case "revocation_list": settings.revocationLists = try reader.strings(member.name)
            case "amd_kds": settings.amdKeyService = try reader.string(member.name)
            case "intel_pcs": settings.intelCollateralService = try reader.string(member.name)
            case "trust_simulator": settings.trustSimulator = try reader.string(member.name)
            case "connections": settings.connections = try reader.number(member.name, from: 1)
            case "client_connections": settings.connectionsPerClient = try reader.number(member.name)
            case "admin": settings.admin = try adminSettings(member.value)
            case "client_rate": settings.requestsPerSecond = try reader.number(member.name)
            default: throw reader.error(at: member.name, "is no setting")
            }
        } catch {
            problems.append(SettingProblem(line: line(of: member.name), message: error.description))
        }
    }

    private mutating func adminSettings(_ value: JSON) throws(JSONError) -> AdminSettings {
        guard let object = value.object else { throw JSONError(place: "admin", problem: "must be an object") }
        var admin = AdminSettings()
        for member in object.members {
            var reader = JSONReader(JSONObject(dictionaryLiteral: (member.name, member.value)), at: "admin")
            do throws(JSONError) {
                switch member.name {
                case "listen": admin.listen = try reader.string(member.name)
                case "client_ca": admin.clientCA = try reader.string(member.name)
                case "client_pins": admin.clientPins = try reader.optionalBool(member.name)
                default: throw reader.error(at: member.name, "is no setting")
                }
            } catch {
                let line = line(of: "admin.\(member.name)")
                problems.append(SettingProblem(line: line, message: error.description))
            }
        }
        return admin
    }

    /// Of jansson's `line 3, column 5`.
    private static func line(in place: String) -> Int {
        Int(place.drop { !$0.isNumber }.prefix { $0.isNumber }) ?? 0
    }
}

extension JSONReader {
    fileprivate mutating func number(_ name: String, from least: Int64 = 0) throws(JSONError) -> Int {
        Int(try integer(name, in: least...1_000_000))
    }
}
