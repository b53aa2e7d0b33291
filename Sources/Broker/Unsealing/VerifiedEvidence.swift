// SPDX-License-Identifier: Apache-2.0
package import Attestation
internal import BrokerProtocol
internal import PinKit
internal import TEE

/// Genuine evidence that was made for the request it came with.
package enum VerifiedEvidence: Sendable {
    case snp(GenuineSNP)
    case tdx(GenuineTDX)

    var platform: Platform {
        switch self {
        case .snp: .snp
        case .tdx: .tdx
        }
    }

    package var isSimulated: Bool {
        switch self {
        case .snp(let genuine): genuine.isSimulated
        case .tdx(let genuine): genuine.isSimulated
        }
    }

    /// Which processor, in base64url: CHIP_ID, 86 characters, or PPID, 22.
    var chip: String {
        switch self {
        case .snp(let genuine): Base64URL.encode(genuine.report.chipID)
        case .tdx(let genuine): Base64URL.encode(genuine.ppid)
        }
    }

    /// Where the host puts the digest of a KBS client's init-data: HOST_DATA, 32 bytes, or MRCONFIGID, 48.
    package var initData: [UInt8] {
        switch self {
        case .snp(let genuine): genuine.report.hostData
        case .tdx(let genuine): genuine.report.mrConfigID
        }
    }

    var reportData: [UInt8] {
        switch self {
        case .snp(let genuine): genuine.report.reportData
        case .tdx(let genuine): genuine.report.reportData
        }
    }
}

extension VerifiedEvidence {
    /// Those conditions of `policy`, in the platform's own language, that do not hold. Throws where it is no policy.
    func failures(
        of policy: JSON, with references: ReferenceSet?, at now: Int64
    ) throws(JSONError) -> [FailedPredicate] {
        let failed =
            switch self {
            case .snp(let genuine): try SNPPolicy(json: policy).judge(genuine, with: references, at: now).failed
            case .tdx(let genuine): try TDXPolicy(json: policy).judge(genuine, with: references, at: now).failed
            }
        return failed.map { FailedPredicate(predicate: $0.name, expected: $0.expected, actual: $0.actual) }
    }

    /// Throws where the platform of `policy` would not understand it.
    static func check(_ policy: JSON, of platform: Platform) throws(JSONError) {
        switch platform {
        case .snp: _ = try SNPPolicy(json: policy)
        case .tdx: _ = try TDXPolicy(json: policy)
        }
    }
}
