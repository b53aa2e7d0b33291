// SPDX-License-Identifier: Apache-2.0
internal import Attestation
internal import HTTPClient
internal import PinKit

/// Intel's Provisioning Certification Service, or a cache of it (PCCS): what Intel says of a kind of platform.
package struct IntelCollateralService: Sendable {
    package static let official = "https://api.trustedservices.intel.com"
    /// Where Intel publishes its root's revocation list.
    private static let officialRootList = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"

    /// How long all of it may take.
    private static let patience = 30

    /// What the service said. Nothing of it is verified.
    enum Answer: Sendable {
        case found(TDXCollateral)
        case absent
        case busy(reason: String, retryAfter: Int?)
    }

    private struct Failure: Error { let answer: Answer }

    private let base: String

    /// `base`: without the `/tdx/certification/v4` of the paths. `http` only to this machine.
    package init(_ base: String) throws(BrokerError) {
        guard base.hasPrefix("https://") || base.hasPrefix("http://") else {
            throw BrokerError("\(base) is no address of a certification service", hint: "such as \(Self.official), or off")
        }
        self.base = base.hasSuffix("/") ? String(base.dropLast()) : base
    }

    /// Asks and waits: not for an event loop.
    func collateral(of platform: TDXPlatform) -> Answer {
        let deadline = Deadline.after(seconds: Self.patience)
        let authority = platform.isProcessorCA ? "processor" : "platform"
        var set = TDXCollateral()
        do throws(Failure) {
            let info = try get("\(base)/tdx/certification/v4/tcb?fmspc=\(Hex.encode(platform.fmspc))", deadline)
            set[.tcbInfo] = info.body
            set[.tcbInfoIssuerChain] = try chain("TCB-Info-Issuer-Chain", of: info)
            let identity = try get("\(base)/tdx/certification/v4/qe/identity", deadline)
            set[.qeIdentity] = identity.body
            set[.qeIdentityIssuerChain] = try chain("SGX-Enclave-Identity-Issuer-Chain", of: identity)
            let list = try get("\(base)/sgx/certification/v4/pckcrl?ca=\(authority)&encoding=der", deadline)
            set[.pckRevocationList] = list.body
            set[.pckRevocationListIssuerChain] = try chain("SGX-PCK-CRL-Issuer-Chain", of: list)
            set[.rootRevocationList] = Self.binary(try get(rootList, deadline).body)
            return .found(set)
        } catch {
            return error.answer
        }
    }

    /// A cache serves the root's list itself.
    private var rootList: String {
        base == Self.official ? Self.officialRootList : "\(base)/sgx/certification/v4/rootcacrl"
    }

    private func get(_ url: String, _ deadline: Deadline) throws(Failure) -> HTTPResponse {
        let response: HTTPResponse
        do throws(PinError) {
            response = try HTTPClient().get(url, accept: "*/*", before: deadline)
        } catch {
            throw Failure(answer: .busy(reason: error.description, retryAfter: nil))
        }
        switch response.status {
        case 200: return response
        case 400, 404: throw Failure(answer: .absent)
        default:
            throw Failure(
                answer: .busy(reason: "Intel's service answered \(response.status)", retryAfter: response.retryAfter))
        }
    }

    private func chain(_ name: String, of response: HTTPResponse) throws(Failure) -> [UInt8] {
        guard let value = response.header(name), let chain = Self.percentDecoded(value) else {
            throw Failure(answer: .busy(reason: "Intel's service sent no \(name)", retryAfter: nil))
        }
        return chain
    }

    /// nil for what is not percent-encoded as it should be.
    static func percentDecoded(_ text: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let decoded = Hex.decode(String(decoding: rest.prefix(2), as: UTF8.self)), decoded.count == 1 else {
                return nil
            }
            bytes += decoded
            rest = rest.dropFirst(2)
        }
        return bytes
    }

    /// A cache gives the root's list in hexadecimal.
    private static func binary(_ body: [UInt8]) -> [UInt8] {
        Hex.decode(String(decoding: body, as: UTF8.self).lowercased()) ?? body
    }
}
