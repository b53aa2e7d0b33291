// SPDX-License-Identifier: Apache-2.0
import Glibc

/// One directory below `tsm/report` at the kernel's own path.
struct Entry {
    let directory: String

    init(_ name: String = "test") throws {
        directory = "/sys/kernel/config/tsm/report/\(name)"
        let status = Kernel.makeDirectory(directory)
        guard status == 0 else { throw Failed(code: -status) }
    }

    func path(_ attribute: String) -> String { "\(directory)/\(attribute)" }

    func read(_ attribute: String) throws -> [UInt8] { try Kernel.contents(of: path(attribute)) }

    func text(_ attribute: String) throws -> String { String(decoding: try read(attribute), as: UTF8.self) }

    /// Opens, writes all at once, closes.
    func write(_ bytes: [UInt8], to attribute: String) throws {
        let file = Kernel.open(path(attribute), O_WRONLY)
        guard file >= 0 else { throw Failed(code: -file) }
        defer { close(file) }
        let count = Kernel.write(bytes, to: file)
        guard count == bytes.count else { throw Failed(code: Int32(-count)) }
    }

    func mode(_ attribute: String) -> mode_t { Kernel.mode(of: path(attribute)) }

    var names: [String] { Kernel.names(in: directory) }
}
