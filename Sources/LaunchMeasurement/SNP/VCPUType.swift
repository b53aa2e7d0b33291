// SPDX-License-Identifier: Apache-2.0

/// A model of processor as hypervisors name them, of which the guest's initial RDX tells family, model and stepping.
public struct VCPUType: Sendable, Equatable {
    /// QEMU's name, or the signature in hexadecimal.
    public let name: String
    /// EAX of CPUID leaf 1.
    public let signature: UInt32

    /// QEMU's models, with all their versions.
    public static let all = models.flatMap { model in
        ([""] + (1...model.versions).map { "-v\($0)" } + model.variants).map { suffix in
            VCPUType(name: model.name + suffix, signature: model.signature)
        }
    }

    private static let models: [(name: String, versions: Int, variants: [String], signature: UInt32)] = [
        ("EPYC", 4, ["-IBPB"], signature(family: 23, model: 1, stepping: 2)),
        ("EPYC-Rome", 4, [], signature(family: 23, model: 49, stepping: 0)),
        ("EPYC-Milan", 2, [], signature(family: 25, model: 1, stepping: 1)),
        ("EPYC-Genoa", 2, [], signature(family: 25, model: 17, stepping: 0)),
        ("EPYC-Turin", 1, [], signature(family: 26, model: 0, stepping: 0)),
    ]

    /// AMD APM volume 3, CPUID Fn0000_0001_EAX: what a family has above 15 and a model above 4 bits stands apart.
    public static func signature(family: UInt32, model: UInt32, stepping: UInt32) -> UInt32 {
        let (base, extended) = family > 15 ? (15, (family - 15) & 0xff) : (family, 0)
        return extended << 20 | (model >> 4 & 0xf) << 16 | base << 8 | (model & 0xf) << 4 | stepping & 0xf
    }

    /// A type of QEMU's by its name, or any processor by its signature in hexadecimal (`0x800f12`).
    public init(named name: String) throws(MeasurementError) {
        if let type = Self.all.first(where: { $0.name == name }) {
            self = type
        } else if name.hasPrefix("0x"), let signature = UInt32(name.dropFirst(2), radix: 16) {
            self.init(name: name, signature: signature)
        } else {
            let names = Self.models.map(\.name).joined(separator: ", ")
            throw MeasurementError(
                "vcpu-type", "no type is named \(name); there are \(names), their versions as in EPYC-v4, and 0x signatures")
        }
    }

    private init(name: String, signature: UInt32) {
        self.name = name
        self.signature = signature
    }
}
