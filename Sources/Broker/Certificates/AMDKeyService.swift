// SPDX-License-Identifier: Apache-2.0
internal import HTTPClient
internal import PinKit
internal import TEE

/// What a vendor's server said. Nothing of it is verified.
package enum VendorAnswer: Sendable, Equatable {
    case found([UInt8])
    /// It answered, and has no such thing.
    case absent
    /// It could not be asked or wants to be left alone, for so many seconds where it said so.
    case busy(reason: String, retryAfter: Int?)
}

/// AMD's Key Distribution Service, or a mirror of it: VCEKs by chip and TCB (VCEK Certificate and KDS Interface Specification, §4).
package struct AMDKeyService: Sendable {
    package static let official = "https://kdsintf.amd.com"

    /// How long one request may take.
    private static let patience = 10
    /// Real ones have some 1.4 KiB.
    private static let maximumCertificate = 16 << 10

    private let base: String

    /// `base`: without the `/vcek/v1` of every path. `http` only to this machine.
    package init(_ base: String) throws(BrokerError) {
        guard base.hasPrefix("https://") || base.hasPrefix("http://") else {
            throw BrokerError("\(base) is no address of a key service", hint: "such as \(AMDKeyService.official), or off")
        }
        self.base = base.hasSuffix("/") ? String(base.dropLast()) : base
    }

    /// Asks and waits: not for an event loop.
    func vcek(_ name: EndorsementName, of product: SNPProduct) -> VendorAnswer {
        do throws(PinError) {
            let response = try HTTPClient().get(
                address(of: name, product), accept: "application/octet-stream, application/pkix-cert, */*",
                before: .after(seconds: AMDKeyService.patience))
            return AMDKeyService.answer(response)
        } catch {
            return .busy(reason: error.description, retryAfter: nil)
        }
    }

    /// AMD's list of revoked ASKs and ASVKs, in DER.
    func revocationList(of product: SNPProduct) -> VendorAnswer {
        do throws(PinError) {
            let response = try HTTPClient().get(
                "\(base)/vcek/v1/\(product.certificateName)/crl", accept: "*/*",
                before: .after(seconds: AMDKeyService.patience))
            return AMDKeyService.answer(response)
        } catch {
            return .busy(reason: error.description, retryAfter: nil)
        }
    }

    func address(of name: EndorsementName, _ product: SNPProduct) -> String {
        let chip = Hex.encode(Array(name.chip.prefix(product.chipIDCount)))
        let levels = product.tcbLayout.components.map {
            "\($0.name)SPL=\(AMDKeyService.twoDigits(name.tcb.bytes[$0.index]))"
        }
        return "\(base)/vcek/v1/\(product.certificateName)/\(chip)?\(levels.joined(separator: "&"))"
    }

    private static func answer(_ response: HTTPResponse) -> VendorAnswer {
        switch response.status {
        case 200 where response.body.count <= maximumCertificate: .found(response.body)
        case 400, 404: .absent
        default: .busy(reason: "the key service answered \(response.status)", retryAfter: response.retryAfter)
        }
    }

    /// As AMD's own examples have them.
    private static func twoDigits(_ level: UInt8) -> String { level < 10 ? "0\(level)" : "\(level)" }
}
