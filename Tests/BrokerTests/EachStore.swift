// SPDX-License-Identifier: Apache-2.0
import Broker
import Testing

/// What a store can be.
enum StoreKind: CaseIterable {
    case sqlite
    case postgres

    /// The one that a test runs over now.
    @TaskLocal static var current = StoreKind.sqlite

    /// A place for a new store, below `directory` where it is a file.
    func place(in directory: TemporaryDirectory) throws -> String {
        switch self {
        case .sqlite: directory.path + "/broker.sqlite"
        case .postgres: try PostgresServer.database()
        }
    }
}

/// Runs each test once over each kind of store.
struct EachStore: SuiteTrait, TestTrait, TestScoping {
    var isRecursive: Bool { true }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        guard testCase != nil else { return try await function() }
        for kind in StoreKind.allCases {
            do {
                try await StoreKind.$current.withValue(kind) { try await function() }
            } catch {
                Issue.record("over \(kind)")
                throw error
            }
        }
    }
}

extension Trait where Self == EachStore {
    static var eachStore: EachStore { EachStore() }
}

extension Store {
    /// Takes away what keeps a table from being edited by mistake.
    func drop(_ triggers: String..., of table: String) throws {
        let place = StoreKind.current == .sqlite ? "" : " ON \(table)"
        for trigger in triggers { try execute("DROP TRIGGER IF EXISTS \(trigger)\(place)") }
    }
}
