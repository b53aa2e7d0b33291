// SPDX-License-Identifier: Apache-2.0
import BootFronts
import Foundation
import PinKit
import Testing

@Suite final class MeasurementLogTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("cvm-log-\(UUID())")
    private var path: String { folder.appendingPathComponent("systemd/tpm2-measure.log").path }

    deinit { try? FileManager.default.removeItem(at: folder) }

    private let event = MeasurementLog.Event(
        pcr: 15, digests: [("sha1", [1, 2]), ("sha256", [0xab])], record: "cryptsetup:root:0d6bf2a0")

    private func mode() throws -> Int {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int ?? 0
    }

    @Test func `an event is one JSON text behind a record separator`() throws {
        for _ in 0..<2 { MeasurementLog(path).append { event } }
        let texts = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\u{1e}")
        #expect(texts.count == 2 && texts.allSatisfy { $0.hasSuffix("}\n") })
        let json = try JSON(parsing: String(texts[0]), limit: 4096)
        #expect(json["pcr"] == 15 && json["content_type"] == "systemd")
        #expect(
            json["digests"] == [["hashAlg": "sha1", "digest": "0102"], ["hashAlg": "sha256", "digest": "ab"]])
        #expect(json["content"]?["string"] == "cryptsetup:root:0d6bf2a0" && json["content"]?["eventType"] == "volume-key")
        #expect(json["content"]?["bootId"]?.string?.count == 32)
        #expect(try #require(json["content"]?["timestamp"]?.integer) > 0)
        #expect(try mode() == 0o600)
    }

    @Test func `what may be missing in it is marked`() throws {
        struct Broken: Error {}
        #expect(throws: Broken.self) { try MeasurementLog(path).append { () throws(Broken) in throw Broken() } }
        #expect(try mode() == 0o1600)
        MeasurementLog(path).append { event }
        #expect(try mode() == 0o1600)
    }

    @Test func `where there can be no log the PCR is extended all the same`() {
        var isExtended = false
        MeasurementLog("/proc/none/log").append {
            isExtended = true
            return event
        }
        #expect(isExtended)
    }
}
