// SPDX-License-Identifier: Apache-2.0

/// Where the kernel shows the event log of a TDX guest: the area that the ACPI table CCEL names.
public struct CCEL: Sendable {
    private let path: String

    public init() { self.init(path: "/sys/firmware/acpi/tables/data/CCEL") }

    /// The one seam for tests; no variable and no option leads here.
    package init(path: String) { self.path = path }

    /// The log without its padding; nil where there is none that can be read. Whether it is true, ``EventLog/replay`` and a
    /// quote say.
    public func read() -> [UInt8]? {
        guard let area = try? ConfigFS.read(path, limit: EventLog.maximumByteCount) else { return nil }
        return try? EventLog.trimming(area)
    }
}
