// SPDX-License-Identifier: Apache-2.0

/// What a hypervisor is given to boot directly: files, or the parts of a unified kernel image.
public struct BootFiles: Sendable {
    let kernel: FilePart
    let initrd: FilePart?
    public let commandLine: String

    /// Where the initrd's bytes are in its file; nil where there is none.
    public var initrdBytes: Range<Int>? { initrd.map { $0.offset..<$0.offset + $0.count } }

    /// Kernels are told up to 2 KiB; a UKI may hold more.
    private static let maximumCommandLine = 64 << 10

    /// `commandLine` as it is given to the hypervisor.
    public init(kernel: String, initrd: String?, commandLine: String) throws {
        self.kernel = try FilePart(whole: kernel)
        self.initrd = try initrd.map { try FilePart(whole: $0) }
        self.commandLine = commandLine
    }

    /// The sections `.linux`, `.initrd` and `.cmdline` of a UKI (UAPI specification "Unified Kernel Image"), as somebody
    /// boots them who takes it apart. Zero bytes and newlines at the end of the command line are no part of it. Throws for a
    /// UKI with several of one, that is, with profiles.
    public init(uki path: String) throws {
        let image = try PEImage(FilePart(whole: path))
        guard let kernel = try image.contents(of: ".linux") else {
            throw MeasurementError(path, "it has no section .linux, so it is no unified kernel image")
        }
        self.kernel = kernel
        initrd = try image.contents(of: ".initrd")
        var text = try image.contents(of: ".cmdline")?.bytes(limit: Self.maximumCommandLine) ?? []
        while let last = text.last, last == 0 || last == UInt8(ascii: "\n") { text.removeLast() }
        guard !text.contains(0), let commandLine = String(validating: text, as: UTF8.self) else {
            throw MeasurementError(path, "its section .cmdline is not a line of text")
        }
        self.commandLine = commandLine
    }
}

extension DirectBoot {
    /// Hashes the files, however large. `commandLine`: another than theirs.
    public init(_ files: BootFiles, commandLine: String? = nil) throws {
        self.init(
            kernel: try files.kernel.digest(.sha256), initrd: try files.initrd.map { try $0.digest(.sha256) },
            commandLine: commandLine ?? files.commandLine)
    }
}
