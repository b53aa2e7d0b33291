// SPDX-License-Identifier: Apache-2.0
import Attestation
import EvidenceVectors
import FileIO
import PinKit
import Testing

/// Policies that the reader accepts, and such that it refuses: the published schema is held against the same ones
/// (Tests/Schemas/check.py).
private let cases: JSON = try! JSON(parsing: FileIO.read("\(Vectors.own)/tdx-policies.json", limit: 1 << 20))

@Suite struct TDXPolicyCasesTests {
    @Test func `the cases are there`() {
        #expect(cases["accepted"]?.array?.count == 10 && cases["refused"]?.array?.count == 53)
    }

    @Test(arguments: cases["accepted"]?.array ?? [])
    func `what is read is written again`(json: JSON) throws {
        let policy = try TDXPolicy(json: json)
        #expect(try TDXPolicy(json: policy.json) == policy)
        for name in policy.json.object?.names ?? [] { #expect(json[name] != nil, "\(name)") }
        #expect(try GuestPolicy(json: json, preferringTDX: true) == .tdx(policy))
    }

    @Test func `a policy with every member comes back to the letter`() throws {
        let full = try #require(cases["accepted"]?.array?[1])
        #expect(try TDXPolicy(json: full).json.canonical == full.canonical)
    }

    @Test(arguments: cases["refused"]?.array ?? [])
    func `a policy that is not as specified is malformed, by the name of the member`(refused: JSON) throws {
        let error = #expect(throws: JSONError.self) { try TDXPolicy(json: refused["policy"] ?? .null) }
        let place = try #require(refused["at"]?.string)
        #expect(error?.description.contains(place) == true, "\(String(describing: error))")
    }
}
