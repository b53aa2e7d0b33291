// SPDX-License-Identifier: Apache-2.0

/// The type of an event in a log (TCG PC Client Platform Firmware Profile, "Event Types").
public struct EventType: RawRepresentable, Sendable, Hashable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Says something about the log; not extended into a register.
    public static let noAction = EventType(rawValue: 3)

    /// The types that firmware and boot loaders of today extend, under their specification's names.
    public static let known: [(name: String, type: EventType)] = [
        ("EV_SEPARATOR", EventType(rawValue: 0x04)),
        ("EV_ACTION", EventType(rawValue: 0x05)),
        ("EV_EVENT_TAG", EventType(rawValue: 0x06)),
        ("EV_S_CRTM_CONTENTS", EventType(rawValue: 0x07)),
        ("EV_S_CRTM_VERSION", EventType(rawValue: 0x08)),
        ("EV_CPU_MICROCODE", EventType(rawValue: 0x09)),
        ("EV_PLATFORM_CONFIG_FLAGS", EventType(rawValue: 0x0a)),
        ("EV_COMPACT_HASH", EventType(rawValue: 0x0c)),
        ("EV_IPL", EventType(rawValue: 0x0d)),
        ("EV_EFI_VARIABLE_DRIVER_CONFIG", EventType(rawValue: 0x8000_0001)),
        ("EV_EFI_VARIABLE_BOOT", EventType(rawValue: 0x8000_0002)),
        ("EV_EFI_BOOT_SERVICES_APPLICATION", EventType(rawValue: 0x8000_0003)),
        ("EV_EFI_BOOT_SERVICES_DRIVER", EventType(rawValue: 0x8000_0004)),
        ("EV_EFI_RUNTIME_SERVICES_DRIVER", EventType(rawValue: 0x8000_0005)),
        ("EV_EFI_GPT_EVENT", EventType(rawValue: 0x8000_0006)),
        ("EV_EFI_ACTION", EventType(rawValue: 0x8000_0007)),
        ("EV_EFI_PLATFORM_FIRMWARE_BLOB", EventType(rawValue: 0x8000_0008)),
        ("EV_EFI_HANDOFF_TABLES", EventType(rawValue: 0x8000_0009)),
        ("EV_EFI_PLATFORM_FIRMWARE_BLOB2", EventType(rawValue: 0x8000_000a)),
        ("EV_EFI_HANDOFF_TABLES2", EventType(rawValue: 0x8000_000b)),
        ("EV_EFI_VARIABLE_BOOT2", EventType(rawValue: 0x8000_000c)),
        ("EV_EFI_GPT_EVENT2", EventType(rawValue: 0x8000_000d)),
        ("EV_EFI_HCRTM_EVENT", EventType(rawValue: 0x8000_0010)),
        ("EV_EFI_VARIABLE_AUTHORITY", EventType(rawValue: 0x8000_00e0)),
    ]

    /// nil for a name that is not in ``known``.
    public init?(name: String) {
        guard let type = Self.known.first(where: { $0.name == name })?.type else { return nil }
        self = type
    }

    /// The specification's name, or the number in hexadecimal.
    public var name: String { Self.known.first { $0.type == self }?.name ?? "0x\(String(rawValue, radix: 16))" }
}
