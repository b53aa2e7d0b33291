// SPDX-License-Identifier: Apache-2.0
import Diagnosis
import LUKS
import PinKit
import TangPin
import TangServer
import Testing

@Suite struct TangTests {
    @Test func `rotated keys are a warning while the server still answers, and a failure when it has removed them`() throws {
        let (stage, server) = (try Stage(), try Tangd())
        try stage.bind("tang", server.configuration())
        try server.rotate()
        let rotated = try stage.check()
        #expect(rotated.boots)
        #expect(
            rotated.summary == [
                "ok pin token 0: tang", "warning rotated-keys token 0: tang", "ok binding token 0", "ok boots",
            ])
        #expect(rotated.text(.rotatedKeys).contains("answers with the old ones only until they are removed: "))
        try server.forget()
        let gone = try stage.check()
        #expect(!gone.boots)
        #expect(gone.summary == ["fails refused token 0: tang", "fails binding token 0", "fails boots"])
        #expect(gone.text(.refused).contains("the server no longer has this key: rebind; next: "))
    }

    @Test func `a server that is not there fails its pin, and the binding where others are not enough`() throws {
        let (stage, server, stopped) = (try Stage(), try Tangd(), try Tangd())
        let children = JSON.array([try server.configuration(), try stopped.configuration()])
        try stage.bind("sss", ["t": 1, "pins": ["tang": children]])
        try stage.bind("sss", ["t": 2, "pins": ["tang": children]])
        stopped.stop()
        let diagnosis = try stage.check()
        #expect(diagnosis.boots)
        #expect(
            diagnosis.summary == [
                "ok pin token 0: sss[0].tang", "fails unreachable token 0: sss[1].tang", "warning binding token 0",
                "ok pin token 1: sss[0].tang", "fails unreachable token 1: sss[1].tang", "fails binding token 1",
                "warning weaker token 0", "ok boots",
            ])
        #expect(diagnosis.findings.last?.text == "it would open by token 0")
    }

    @Test func `servers that never answer are waited for together`() throws {
        let (stage, server) = (try Stage(), try Tangd())
        let silent = try Listener(running: "sleep 20")
        let child: JSON = ["url": .string(silent.address), "adv": try server.advertisement()]
        try stage.bind("sss", ["t": 1, "pins": ["tang": .array(Array(repeating: child, count: 6))]])
        let clock = ContinuousClock()
        let start = clock.now
        let diagnosis = try stage.check(milliseconds: 500)
        #expect(start.duration(to: clock.now) < .seconds(2))
        #expect(!diagnosis.boots)
        #expect(diagnosis.summary.filter { $0.hasPrefix("fails unreachable") }.count == 6)
        #expect(diagnosis.text(.unreachable).contains("http://\(silent.address)/rec/"))
    }

    @Test func `a report names the keys that are gone from each advertisement`() throws {
        let (stage, kept, rotated) = (try Stage(), try Tangd(), try Tangd())
        let old = try rotated.thumbprint()
        let children = JSON.array([try kept.configuration(), try rotated.configuration()])
        try stage.bind("sss", ["t": 2, "pins": ["tang": children, "null": [[:]]]])
        let message = try #require(try stage.volume.bindings(registry: Stage.registry, owner: nil).first?.message)
        func report() throws -> [[String]] {
            try KeyRotation.report(on: message, registry: Stage.registry, before: .after(seconds: 5)).map(\.missing)
        }
        #expect(try report() == [[], []])
        try rotated.rotate()
        let missing = try report()
        #expect(missing[0].isEmpty && missing[1].count == 2 && missing[1].contains(old))
        kept.stop()
        let error = try #require(throws: PinError(.unavailable)) { _ = try report() }
        #expect(error.path == "sss[0].tang")
    }
}
