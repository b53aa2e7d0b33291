// SPDX-License-Identifier: Apache-2.0
public import TEE

/// A secret that an owner had put into a pretend SEV guest's memory.
public struct SimulatedSecret: Sendable {
    let guid: SecretGUID
    let bytes: [UInt8]

    public init(_ guid: SecretGUID, _ bytes: [UInt8]) {
        self.guid = guid
        self.bytes = bytes
    }
}
