// SPDX-License-Identifier: Apache-2.0

/// A processor's save area as it is before the processor runs its first instruction (AMD APM volume 2, appendix B, "VMCB
/// state save area"): the page that is encrypted and measured for each of them.
struct VMSA {
    private(set) var page = [UInt8](repeating: 0, count: Firmware.pageSize)

    /// - Parameters:
    ///   - start: address of the first instruction; ``resetVector`` for the first processor.
    ///   - features: SEV_FEATURES; 0 under SEV-ES.
    init(start: UInt32, profile: VMMProfile, type: VCPUType, features: UInt64) {
        let registers = profile.registers
        if registers.isFlat { setFlatSegments() } else { setResetSegments(registers, start: start) }
        setTables(registers)
        set(0x0d0, UInt64(0x1000))  // EFER: SVME
        set(0x148, UInt64(0x40))  // CR4: MCE
        set(0x158, UInt64(registers.isFlat ? 0x11 : 0x10))  // CR0: ET, PE
        set(0x160, UInt64(0x400))  // DR7
        set(0x168, UInt64(0xffff_0ff0))  // DR6
        set(0x170, UInt64(0x2))  // RFLAGS
        set(0x178, UInt64(registers.isFlat ? start : start & 0xffff))  // RIP
        set(0x268, registers.pageAttributes)  // G_PAT
        set(0x310, registers.rdx ?? UInt64(type.signature))
        set(0x3b0, features)
        set(0x3e8, UInt64(1))  // XCR0
        set(0x408, registers.mxcsr)
        set(0x410, registers.floatingPointControl)
    }

    /// Where a processor comes out of reset.
    static let resetVector: UInt32 = 0xffff_fff0

    private mutating func setResetSegments(_ registers: VMMProfile.Registers, start: UInt32) {
        for segment in [0x00, 0x30, 0x40, 0x50] { setSegment(segment, attributes: 0x93) }  // ES, DS, FS, GS
        setSegment(0x20, attributes: registers.stack)
        setSegment(
            0x10, selector: 0xf000, attributes: start == Self.resetVector ? registers.firstCode : 0x9b,
            base: UInt64(start & 0xffff_0000))
    }

    private mutating func setFlatSegments() {
        for segment in [0x00, 0x20, 0x30, 0x40] {
            setSegment(segment, selector: 0x10, attributes: 0xc93, limit: 0xffff_ffff)
        }
        setSegment(0x10, selector: 0x8, attributes: 0xc9b, limit: 0xffff_ffff)
        setSegment(0x50, attributes: 0x93)
    }

    private mutating func setTables(_ registers: VMMProfile.Registers) {
        for table in [0x60, 0x80] { setSegment(table, attributes: 0) }  // GDTR, IDTR
        setSegment(0x70, attributes: 0x82)  // LDTR
        setSegment(0x90, attributes: registers.task)
    }

    /// {u16 selector, u16 attributes, u32 limit, u64 base}
    private mutating func setSegment(
        _ offset: Int, selector: UInt16 = 0, attributes: UInt16, limit: UInt32 = 0xffff, base: UInt64 = 0
    ) {
        set(offset, selector)
        set(offset + 2, attributes)
        set(offset + 4, limit)
        set(offset + 8, base)
    }

    private mutating func set(_ offset: Int, _ value: some FixedWidthInteger) {
        let bytes = value.littleEndianBytes
        page.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    }
}
