// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// Makes the evidence for the test kernel module, which stands in a real kernel at the place of a TEE's driver.
public struct Signer {
    private let chip: any SimulatedChip
    private let driver: SimulatedDriver

    /// Throws for a platform without evidence, and for a fault that is none of its.
    public init(_ platform: SimulatedPlatform) throws(SimulatorError) {
        guard let (chip, driver) = try platform.chip() else { throw SimulatorError("this platform has no evidence to sign") }
        self.chip = chip
        self.driver = driver
    }

    /// Answers what is asked through the device at `path` until that ends. Throws where it cannot be opened.
    public func serve(_ path: String) throws(SimulatorError) {
        let descriptor = unsafe open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { throw SimulatorError("\(path): \(unsafe String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        serve(descriptor)
    }

    /// A read is one request, a write one answer. An answer that nobody waits for any more is refused, which is no error.
    func serve(_ descriptor: Int32) {
        while let request = Self.next(descriptor) {
            let answer = SignerRequest(request).map(answer) ?? .failure(errno: EINVAL)
            _ = unsafe answer.bytes.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
        }
    }

    private static func next(_ descriptor: Int32) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: SignerRequest.byteCount)
        while true {
            let count = unsafe read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            return count > 0 ? Array(buffer.prefix(count)) : nil
        }
    }

    func answer(_ request: SignerRequest) -> SignerAnswer {
        do throws(Errno) {
            switch request {
            case .evidence(let reportData, let vmpl):
                let blobs = try driver.report(inblob: reportData, privlevel: vmpl)
                return .evidence(report: blobs.outblob, certificates: blobs.auxblob)
            case .derivedKey(let request):
                guard let key = chip.derivedKey(request) else {
                    return .failure(errno: EIO, firmware: Self.invalidParameter)
                }
                return .evidence(report: key, certificates: [])
            }
        } catch {
            return .failure(errno: error.code)
        }
    }

    /// INVALID_PARAM of the SEV-SNP firmware ABI.
    private static let invalidParameter: UInt32 = 0x16
}
