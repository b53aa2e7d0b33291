// SPDX-License-Identifier: Apache-2.0
internal import ServiceLifecycle

/// Asks vendors for what is due, for as long as the broker serves.
struct Renewal: Service {
    private static let interval: Duration = .seconds(60)

    let unsealer: Unsealer

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await unsealer.renew()
                try await Task.sleep(for: Self.interval)
            }
        }
    }
}
