// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A directory of one test, gone with it.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = "\(NSTemporaryDirectory())/broker-tests-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// What the permission bits of `name` are.
    func mode(of name: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: "\(path)/\(name)")
        return try (attributes[.posixPermissions] as? Int).orThrow("no permissions")
    }

    /// All bytes of all files, for searches.
    func contents() throws -> [Data] {
        let names = try FileManager.default.subpathsOfDirectory(atPath: path)
        // nil for a directory
        return names.compactMap { FileManager.default.contents(atPath: "\(path)/\($0)") }
    }
}

struct Missing: Error {
    let what: String
}

extension Optional {
    func orThrow(_ what: String) throws -> Wrapped {
        guard let self else { throw Missing(what: what) }
        return self
    }
}
