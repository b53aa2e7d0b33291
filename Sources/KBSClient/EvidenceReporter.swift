// SPDX-License-Identifier: Apache-2.0
package import BrokerProtocol
package import PinKit

/// Who makes evidence: the kernel, or a test's own chain.
package protocol EvidenceReporter: Sendable {
    /// Throws `.unavailable` where there is no such TEE: before anybody is asked for a nonce.
    func requirePlatform() throws(PinError)

    /// A report over 64 bytes.
    func report(for data: [UInt8], before deadline: Deadline) throws(PinError) -> EvidenceDocument
}
