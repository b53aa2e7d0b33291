// SPDX-License-Identifier: Apache-2.0
import LaunchMeasurement

/// What a firmware says of itself to the hypervisor: the table of GUIDs at its end, the metadata for SEV-SNP and for TDX. What
/// is read lies in the image and can be measured. The hashes are left out, but for those of small sections, which are measured
/// as every profile does, with and without a kernel.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    unsafe Harness.run(start, count) { bytes in
        // Everything is found from the end, and only whole pages are measured.
        let padding = [UInt8](repeating: 0, count: -bytes.count & 4095)
        for image in [bytes, padding + bytes] {
            guard let firmware = try? Firmware(image) else { continue }
            walkSEV(firmware)
            walkTDX(firmware, image.count)
        }
    }
}

/// Sections of more are not hashed.
private let hashedBytes = 64 << 10
private let nothing = DirectBoot(kernel: [UInt8](repeating: 0, count: 32))
private let known = [UInt8](repeating: 0, count: 48)

private func walkSEV(_ firmware: Firmware) {
    guard let sections = try? firmware.sections() else { return }
    precondition(sections.allSatisfy { $0.size % 4096 == 0 && $0.address % 4096 == 0 && $0.address >> 32 == 0 })
    let size = sections.reduce(0) { $0 + $1.size }
    precondition(size <= Firmware.maximumSectionBytes)
    guard size <= hashedBytes, let type = try? VCPUType(named: "EPYC") else { return }
    for profile in VMMProfile.all {
        for boot in [nil, nothing] {
            var launch = SNPLaunch(firmware: firmware, boot: boot, processors: 2, type: type)
            launch.profile = profile
            launch.firmwareDigest = known
            launch.svsm = profile.hasSVSM ? SNPLaunch.SVSM(image: firmware, variablesSize: 4096) : nil
            guard let steps = try? launch.steps() else { continue }
            precondition(
                steps.allSatisfy { $0.digest.count == 48 } && steps.count == sections.count + (profile.hasSVSM ? 4 : 3))
        }
    }
}

private func walkTDX(_ firmware: Firmware, _ count: Int) {
    guard let sections = try? firmware.tdxSections() else { return }
    for section in sections {
        precondition(section.contents.lowerBound >= 0 && section.contents.upperBound <= count)
        precondition(section.contents.count <= section.size && section.address <= UInt64.max - UInt64(section.size))
    }
    let size = sections.reduce(0) { $0 + $1.size }
    precondition(size <= Firmware.maximumSectionBytes)
    guard size <= hashedBytes else { return }
    for addsPagesFirst in [false, true] {
        guard let value = try? MRTD(firmware: firmware, addsPagesFirst: addsPagesFirst).measurement() else { return }
        precondition(value.count == 48)
    }
}
