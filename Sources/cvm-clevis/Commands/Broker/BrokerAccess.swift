// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import BrokerProtocol
import FileIO
import HTTPClient
import PinKit

/// How commands reach the administration of a broker (docs/spec/broker.md §9).
struct BrokerAccess: ParsableArguments {
    private static let tokenLimit = 1 << 10
    private static let patience = 60

    @Option(
        help: ArgumentHelp(
            "The file with your token (cvm-clevis-broker token create); nobody else may read it.", valueName: "file"))
    var tokenFile: String

    @Option(help: ArgumentHelp("The broker's public.json, in place of what init remembers.", valueName: "file"))
    var broker: String?

    @Option(help: ArgumentHelp("Where administrators reach it, if not where guests do.", valueName: "url"))
    var server: String?

    /// Sends one call and returns its answer; an error of the broker's is one here. `path`: from `/admin/v1` on.
    func call(
        _ method: String, _ path: String, fields: [String] = [], body: borrowing SecretBytes = SecretBytes(copyingPublic: [])
    ) throws -> JSON {
        let (url, pin) = try place()
        let client = try HTTPClient(tlsPin: pin)
        let answer = try client.call(
            method, "\(url)/admin/v1/\(path)", fields: fields, token: token(), body: body,
            before: .after(seconds: Self.patience))
        guard answer.status == 200 else { throw failure(answer) }
        return try JSON(parsing: answer.body, limit: HTTPClient.maximumBody)
    }

    /// The elements of the list `name` in the answer to a GET of `path`.
    func list(_ name: String, _ path: String) throws -> [JSON] {
        guard let elements = try call("GET", path)[name]?.array else { throw Failure("the broker's answer has no \(name)") }
        return elements
    }

    private func token() throws -> SecretBytes {
        guard try FileIO.isPrivate(tokenFile) else {
            throw Failure("\(tokenFile) can be read by others", hint: "chmod 600 \(tokenFile); and have a new token made")
        }
        let text = try FileIO.readSecret(tokenFile, limit: Self.tokenLimit)
        let length = unsafe text.withUnsafeBytes { unsafe $0.firstIndex(of: UInt8(ascii: "\n")) ?? $0.count }
        guard length > 0, let token = text.slice(0..<length) else { throw Failure("\(tokenFile) is empty") }
        return token
    }

    private func place() throws -> (url: String, pin: [UInt8]?) {
        let known = try broker.map(Self.described) ?? Self.remembered()
        guard let url = server ?? known.url else {
            throw Failure("no broker is known", hint: "give --broker public.json, or: cvm-clevis init --broker public.json")
        }
        return (try BrokerURL(url).text, known.pin)
    }

    private static func described(_ path: String) throws -> (url: String?, pin: [UInt8]?) {
        do {
            var reader = try JSONReader(Input.json(path))
            return (try reader.string("url"), try reader.optionalTLSPins("tls"))
        } catch let error as JSONError {
            throw Failure("\(path) is not a broker's public.json: \(error)")
        }
    }

    private static func remembered() throws -> (url: String?, pin: [UInt8]?) {
        for platform in Platform.allCases {
            guard let known = try Defaults().pins[platform.pin]?.object, let url = known["url"]?.string else { continue }
            let pin = known["tls"]?.string
            guard let bytes = pin.map({ Base64URL.decode($0) ?? [] }) else { return (url, nil) }
            return (url, bytes)
        }
        return (nil, nil)
    }

    private func failure(_ answer: HTTPResponse) -> Failure {
        guard let error = try? KBSError(body: answer.body) else {
            return Failure("the broker answered with status \(answer.status)", hint: "is administration on there?")
        }
        let hint =
            switch answer.status {
            case 401: "have a new token made with: cvm-clevis-broker token create"
            case 404 where error.detail.hasPrefix("no such path"):
                "administration is off there, or has another address: --server"
            default: nil as String?
            }
        return Failure("the broker refused: \(error.detail) (\(error.name))", hint: hint)
    }
}
