// SPDX-License-Identifier: Apache-2.0
import AttestPin
import BrokerProtocol
import MemoryScan
import PinKit
import Testing

@Suite(.serialized) struct ResidueTests {
    @Test(arguments: Platform.allCases)
    func `neither sealing nor recovering leaves a piece of the secret in memory`(tee: Platform) throws {
        let site = try Site(.generate(), FakePlatform(tee))
        let walk = PolicyWalk(registry: PinRegistry([site.pin]), deadline: .after(seconds: 60))
        let canary = try Canary()
        for _ in 0..<4 {
            let message = try site.encryptor(site.configuration).encrypt(canary.reveal())
            let isEqual = try walk.recover(message).equals(canary.reveal())
            #expect(isEqual)
        }
        #expect(try canary.residues() == 0)
    }
}
