// SPDX-License-Identifier: Apache-2.0

/// The headers of a PE file, an EFI application: a kernel, or a UKI (Microsoft PE Format). Whoever made the file chose every
/// byte of it; only its headers are held.
struct PEImage: Sendable {
    struct Section: Sendable, Equatable {
        let name: String
        /// Bytes in memory and in the file; where the second are fewer the rest is zero.
        let virtualSize: Int
        let rawSize: Int
        let offset: Int
    }

    private let file: FilePart
    let sections: [Section]
    private let image: Image
    private let optionalHeader: Int
    private let optionalHeaderSize: Int

    /// Headers of real files have less than a page.
    private static let maximumHeaders = 64 << 10
    private static let maximumSections = 96

    /// Throws for a file that is no PE file, or whose sections lie outside of it.
    init(_ file: FilePart) throws {
        let path = file.path
        let image = Image(bytes: try file.prefix(Self.maximumHeaders).bytes(limit: Self.maximumHeaders))
        guard image.slice(0, 2)?.elementsEqual("MZ".utf8) == true, let start = image.integer(0x3c, as: UInt32.self),
            image.slice(Int(start), 4)?.elementsEqual([0x50, 0x45, 0, 0]) == true
        else { throw MeasurementError(path, "it is no PE file") }
        let header = Int(start) + 4
        guard let count = image.integer(header + 2, as: UInt16.self), count <= Self.maximumSections,
            let optional = image.integer(header + 16, as: UInt16.self)
        else {
            throw MeasurementError(path, "its PE header is cut short, or has more than \(Self.maximumSections) sections")
        }
        var sections: [Section] = []
        for index in 0..<Int(count) {
            let at = header + 20 + Int(optional) + 40 * index
            sections.append(try Self.section(index, at: at, of: image, size: file.count, path))
        }
        self.file = file
        self.sections = sections
        self.image = image
        optionalHeader = header + 20
        optionalHeaderSize = Int(optional)
    }

    private static func section(
        _ index: Int, at offset: Int, of image: Image, size: Int, _ path: String
    ) throws(MeasurementError) -> Section {
        guard let name = image.slice(offset, 8), let virtualSize = image.integer(offset + 8, as: UInt32.self),
            let rawSize = image.integer(offset + 16, as: UInt32.self),
            let start = image.integer(offset + 20, as: UInt32.self)
        else { throw MeasurementError(path, "the header of section \(index) lies behind its headers' end") }
        guard rawSize == 0 || Int(start) + Int(rawSize) <= size else {
            throw MeasurementError(path, "section \(index) lies behind its end")
        }
        return Section(
            name: String(decoding: name.prefix { $0 != 0 }, as: UTF8.self), virtualSize: Int(virtualSize),
            rawSize: Int(rawSize), offset: rawSize == 0 ? 0 : Int(start))
    }

    /// What `name` holds; nil where there is no such section. Throws where there are two, or bytes of it are not in the file.
    func contents(of name: String) throws(MeasurementError) -> FilePart? {
        let named = sections.filter { $0.name == name }
        guard let section = named.first else { return nil }
        guard named.count == 1 else {
            throw MeasurementError(file.path, "it has several sections \(name), and one is taken only")
        }
        guard section.virtualSize <= section.rawSize else {
            throw MeasurementError(file.path, "its section \(name) is larger than what the file has of it")
        }
        return file.part(section.offset, section.offset + section.virtualSize)
    }
}

// MARK: - Authenticode

extension PEImage {
    private var path: String { file.path }
    private var size: Int { file.count }

    /// What the Authenticode digest covers, in order: all but the checksum, the place of the signatures, and the signatures,
    /// which stand at the end (Windows Authenticode Portable Executable Signature Format; edk2, DxeTpm2MeasureBootLib).
    func authenticodeParts() throws(MeasurementError) -> [FilePart] {
        let isLong = image.integer(optionalHeader, as: UInt16.self) == 0x20b
        let directory = optionalHeader + (isLong ? 112 : 96)
        let checksum = optionalHeader + 64
        guard isLong || image.integer(optionalHeader, as: UInt16.self) == 0x10b,
            let headers = image.integer(optionalHeader + 60, as: UInt32.self),
            let directories = image.integer(directory - 4, as: UInt32.self),
            optionalHeaderSize >= directory - optionalHeader,
            Int(headers) <= size, Int(headers) >= directory
        else { throw MeasurementError(path, "its optional header is none that EFI starts") }
        var parts = [file.part(0, checksum)]
        var signatures = 0
        let entry = directory + 32
        if directories > 4 {
            guard optionalHeaderSize >= entry + 8 - optionalHeader, Int(headers) >= entry + 8,
                let length = image.integer(entry + 4, as: UInt32.self)
            else { throw MeasurementError(path, "its optional header is none that EFI starts") }
            signatures = Int(length)
            parts += [file.part(checksum + 4, entry), file.part(entry + 8, Int(headers))]
        } else {
            parts.append(file.part(checksum + 4, Int(headers)))
        }
        let stored = sections.filter { $0.rawSize > 0 }.sorted { $0.offset < $1.offset }
        parts += stored.map { file.part($0.offset, $0.offset + $0.rawSize) }
        let hashed = stored.reduce(Int(headers)) { $0 + $1.rawSize }
        guard hashed <= size, signatures <= size - hashed else {
            throw MeasurementError(path, "its sections and signatures have more bytes than it has")
        }
        if hashed < size - signatures { parts.append(file.part(hashed, size - signatures)) }
        return parts
    }

    func authenticode(_ algorithm: RunningDigest.Algorithm) throws -> [UInt8] {
        let hash = RunningDigest(algorithm)
        for part in try authenticodeParts() { try part.add(to: hash) }
        return hash.finish()
    }
}
