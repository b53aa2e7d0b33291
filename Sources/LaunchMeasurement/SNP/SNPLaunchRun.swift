// SPDX-License-Identifier: Apache-2.0

/// The order in which hypervisors add pages: the firmware's image, what its metadata asks for, the processors.
struct SNPLaunchRun {
    /// First instructions of the first and of all other processors.
    struct Entry {
        let first: UInt32
        let others: UInt32
    }

    private let launch: SNPLaunch
    private(set) var digest = LaunchDigest()
    private(set) var steps: [LaunchStep] = []

    init(launch: SNPLaunch) { self.launch = launch }

    mutating func addFirmware() throws(MeasurementError) {
        let firmware = launch.firmware
        try requireWholePages(firmware, named: "firmware")
        if let known = launch.firmwareDigest {
            guard known.count == LaunchDigest.size else {
                throw MeasurementError("firmware digest", "\(known.count) bytes, not \(LaunchDigest.size)")
            }
            digest = LaunchDigest(from: known)
        } else {
            try digest.add(firmware.contents, at: firmware.address)
        }
        note("firmware", firmware.address, firmware.size)
    }

    /// What the firmware's metadata asks for.
    mutating func addSections() throws(MeasurementError) -> Entry {
        let firmware = launch.firmware
        try add(try firmware.sections(), of: firmware)
        guard launch.processors == 1 || firmware.resetAddress != nil else {
            throw Firmware.error("it does not say where processors other than the first begin")
        }
        return Entry(first: VMSA.resetVector, others: firmware.resetAddress ?? VMSA.resetVector)
    }

    /// The module's image and what its metadata asks for, in place of the firmware's.
    mutating func add(_ svsm: SNPLaunch.SVSM) throws(MeasurementError) -> Entry {
        let image = svsm.image
        try requireWholePages(image, named: "svsm")
        guard (0...SNPLaunch.SVSM.maximumVariablesSize).contains(svsm.variablesSize) else {
            let limit = SNPLaunch.SVSM.maximumVariablesSize
            throw MeasurementError("variables-size", "\(svsm.variablesSize) bytes, not 0 to \(limit)")
        }
        guard let offset = image.svsmEntryOffset, Int(offset) < image.size else {
            throw MeasurementError("svsm", "it does not say where it begins")
        }
        let below = launch.firmware.size + svsm.variablesSize + image.size
        let address = (1 << 32) - UInt64(below)
        try digest.add(image.contents, at: address)
        note("svsm", address, image.size)
        try add(try image.sections(), of: image)
        let start = UInt32(address) + offset
        return Entry(first: start, others: start)
    }

    mutating func addProcessors(startingAt entry: Entry) {
        let pages = Self.processorPages(launch, entry)
        for processor in 0..<launch.processors {
            let page = pages[min(processor, 1)]
            digest.add(.vmsa, page, at: LaunchDigest.vmsaAddress)
            note("processor \(processor)", LaunchDigest.vmsaAddress, page.count)
        }
    }

    /// The save areas of the first processor and of each other one.
    static func processorPages(_ launch: SNPLaunch, _ entry: Entry) -> [[UInt8]] {
        let features = launch.features ?? launch.profile.features
        return [entry.first, entry.others].map { start in
            VMSA(start: start, profile: launch.profile, type: launch.type, features: features).page
        }
    }

    private mutating func add(_ sections: [Firmware.Section], of firmware: Firmware) throws(MeasurementError) {
        guard launch.boot == nil || sections.contains(where: { $0.kind == .kernelHashes }) else {
            throw Firmware.error(
                "it has no place for the hashes of a kernel: it would start any kernel, so nothing would measure this one")
        }
        var numbered = Array(sections.enumerated())
        if launch.profile.measuresCPUIDLast {
            numbered = numbered.filter { $1.kind != .cpuid } + numbered.filter { $1.kind == .cpuid }
        }
        for (index, section) in numbered {
            try add(section, of: firmware)
            note("section \(index) \(section.kind)", section.address, section.size)
        }
    }

    private mutating func add(_ section: Firmware.Section, of firmware: Firmware) throws(MeasurementError) {
        switch section.kind {
        case .memory: digest.add(launch.profile.memoryPages, size: section.size, at: section.address)
        case .svsmArea: digest.add(.zero, size: section.size, at: section.address)
        case .secrets: digest.add(.secrets, size: try onePage(section), at: section.address)
        case .cpuid: digest.add(.cpuid, size: try onePage(section), at: section.address)
        case .kernelHashes:
            if let boot = launch.boot {
                digest.add(.normal, try page(of: boot, in: section, firmware), at: section.address)
            } else {
                digest.add(.zero, size: section.size, at: section.address)
            }
        }
    }

    /// The page of kernel hashes: nothing but the table, where the firmware looks for it.
    private func page(
        of boot: DirectBoot, in section: Firmware.Section, _ firmware: Firmware
    ) throws(MeasurementError) -> [UInt8] {
        guard let address = firmware.kernelHashesAddress else {
            throw Firmware.error("it does not say where it looks for the hashes of a kernel")
        }
        let table = boot.hashTable
        let offset = Int(address % UInt32(Firmware.pageSize))
        guard try onePage(section) >= offset + table.count else {
            throw Firmware.error("the hashes of a kernel do not fit where it looks for them, at \(offset) of a page")
        }
        var page = [UInt8](repeating: 0, count: Firmware.pageSize)
        page.replaceSubrange(offset..<offset + table.count, with: table)
        return page
    }

    private func onePage(_ section: Firmware.Section) throws(MeasurementError) -> Int {
        guard section.size == Firmware.pageSize else {
            throw Firmware.error("its section of kind \(section.kind) has \(section.size) bytes, not one page")
        }
        return section.size
    }

    private func requireWholePages(_ firmware: Firmware, named name: String) throws(MeasurementError) {
        guard firmware.size % Firmware.pageSize == 0 else {
            throw MeasurementError(name, "\(firmware.size) bytes, which are not whole pages of \(Firmware.pageSize)")
        }
    }

    private mutating func note(_ part: String, _ address: UInt64, _ size: Int) {
        steps.append(LaunchStep(part: part, address: address, size: size, digest: digest.value))
    }
}
