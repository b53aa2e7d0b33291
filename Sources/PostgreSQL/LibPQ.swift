// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol
internal import CPQ
internal import Glibc

/// libpq, opened when the first store wants it.
enum LibPQ {
    private static let name = "libpq.so.5"

    private nonisolated(unsafe) static let opened: Result<UnsafePointer<cvm_pq>, PostgresError> = {
        let functions = UnsafeMutablePointer<cvm_pq>.allocate(capacity: 1)
        guard unsafe cvm_pq_open(functions, name) == 1 else {
            let reason = unsafe dlerror().map { unsafe String(cString: $0) } ?? "no reason given"
            return unsafe .failure(
                PostgresError(
                    description: "cannot open \(name): \(printable(reason))", hint: "install libpq5, which PostgreSQL needs")
            )
        }
        return unsafe .success(UnsafePointer(functions))
    }()

    static func functions() throws(PostgresError) -> UnsafePointer<cvm_pq> { try unsafe opened.get() }
}
