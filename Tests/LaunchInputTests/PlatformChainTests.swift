// SPDX-License-Identifier: Apache-2.0
import LaunchInput
import PinKit
import Testing

/// What anybody may hand in as a platform's certificates. That good ones are taken, and that every signature counts, is seen by
/// Tests/LaunchOracle, which makes them.
struct PlatformChainTests {
    /// Certificates of nothing, which have the right uses and no valid key.
    private static let hollow: [UInt8] = [0x1003, 0x1002, 0x1001, 0x1004].flatMap { (usage: UInt16) in
        [1, 0, 0, 0, 0, 0, 0, 0, UInt8(truncatingIfNeeded: usage), UInt8(usage >> 8), 0, 0, 2, 0, 0, 0, 2, 0, 0, 0]
            + [UInt8](repeating: 0, count: 2064)
    }

    @Test func `certificates of every length are malformed or refused, and nothing traps`() {
        for count in [0, 1, 2083, 2084, 4 * 2084 - 1, 4 * 2084, 5 * 2084] {
            for fill in [UInt8(0), 1, 0xff] {
                #expect(throws: PinError(.malformed)) {
                    try PlatformChain([UInt8](repeating: fill, count: count), authority: [])
                }
            }
        }
    }

    @Test(arguments: [0, 4, 0x3f, 0x40, 0x41, 0x23f, 0x240, 832, 833, 2000])
    func `authorities that end anywhere are malformed`(count: Int) {
        var authority = [UInt8](repeating: 0, count: count)
        for (index, byte) in [(0, UInt8(1)), (0x24, 0x13), (0x39, 8), (0x3d, 8)] where index < count {
            authority[index] = byte
        }
        #expect(throws: PinError(.malformed)) { try PlatformChain(Self.hollow, authority: authority) }
    }

    @Test(arguments: [(0, "version"), (8, "use"), (0x10, "P-384"), (0x14 + 48, "P-384"), (0x400, "P-384")])
    func `a certificate says what is wrong with it`(index: Int, reason: String) throws {
        var certificates = Self.hollow
        certificates[index] ^= 0x40
        let error = try #require(throws: PinError(.malformed)) { try PlatformChain(certificates, authority: []) }
        #expect(error.description.hasPrefix("malformed: read the certificate of the PDH: "))
        #expect(error.detail.hasSuffix(reason) || error.detail.split(separator: " ").contains { $0 == reason })
    }
}
