// SPDX-License-Identifier: Apache-2.0
internal import NIOPosix
internal import ServiceLifecycle

/// Reads the keys that replicas share anew, for as long as the broker serves.
struct KeyReading: Service {
    private static let interval: Duration = .seconds(5)

    let unsealer: Unsealer
    let threads: NIOThreadPool
    let log: RequestLog
    let clock: @Sendable () -> Int64

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            var trouble: String?
            while !Task.isCancelled {
                trouble = await read(after: trouble)
                try await Task.sleep(for: Self.interval)
            }
        }
    }

    /// What went wrong, noted once for as long as it is the same.
    private func read(after trouble: String?) async -> String? {
        do {
            try await threads.runIfActive { try unsealer.renewKeys(at: clock()) }
            return nil
        } catch let error as BrokerError {
            let words = error.hint.map { "\(error); \($0)" } ?? "\(error)"
            if words != trouble { log.note(.error, "keys", words) }
            return words
        } catch {
            return trouble
        }
    }
}
