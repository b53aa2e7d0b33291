// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

/// What every Swift target of the package is built with; a warning is an error.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "cvm-clevis",
    products: [
        .executable(name: "cvm-clevis", targets: ["cvm-clevis"]),
        .executable(name: "cvm-clevis-broker", targets: ["cvm-clevis-broker"]),
        .executable(name: "cvm-clevis-unlock", targets: ["cvm-clevis-unlock"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", exact: "2.37.6"),
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1", traits: []),
    ],
    targets: [
        // C libraries.
        .systemLibrary(
            name: "COpenSSL", path: "Sources/CLibs/COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CFUSE", path: "Sources/CLibs/CFUSE", pkgConfig: "fuse3", providers: [.apt(["libfuse3-dev"])]),
        // Without pkgConfig, whose -l flags would link what is to be opened at run time.
        .systemLibrary(name: "CPQ", path: "Sources/CLibs/CPQ", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CBoot", path: "Sources/CLibs/CBoot"),
        .systemLibrary(
            name: "CInflate", path: "Sources/CLibs/CInflate",
            providers: [.apt(["liblzma-dev", "libzstd-dev", "zlib1g-dev"])]),
        .systemLibrary(name: "CMemory", path: "Sources/CLibs/CMemory"),
        .systemLibrary(name: "CSpawn", path: "Sources/CLibs/CSpawn"),
        .systemLibrary(name: "CTSS2", path: "Sources/CLibs/CTSS2", providers: [.apt(["libtss2-dev"])]),

        // Functions that are forwarded to the library, which the first of them opens.
        .target(name: "CCryptsetup", path: "Sources/CLibs/CCryptsetup"),
        .target(name: "CJose", path: "Sources/CLibs/CJose"),

        // Functions that libtss2-esys finds in place of libcrypto's.
        .target(name: "CTSS2Contexts", path: "Sources/CLibs/CTSS2Contexts"),

        // Libraries an initrd carries: free of Foundation.
        .target(name: "PinKit", dependencies: ["CJose", "COpenSSL"], swiftSettings: strict),
        .target(name: "FileIO", dependencies: ["PinKit"], swiftSettings: strict),
        .target(name: "TEE", dependencies: ["PinKit"], swiftSettings: strict),
        .target(name: "BrokerProtocol", dependencies: ["PinKit"], swiftSettings: strict),
        .target(name: "HTTPClient", dependencies: ["COpenSSL", "PinKit"], swiftSettings: strict),
        // The guest's side of the KBS protocol.
        .target(
            name: "KBSClient", dependencies: ["BrokerProtocol", "HTTPClient", "PinKit", "TEE"], swiftSettings: strict),
        .target(name: "LUKS", dependencies: ["PinKit", "CCryptsetup", "COpenSSL"], swiftSettings: strict),
        // What systemd and libcryptsetup ask at boot, and whom to answer.
        .target(name: "BootFronts", dependencies: ["CBoot", "FileIO", "LUKS", "PinKit"], swiftSettings: strict),

        // Pins: a target each, so that the build checks who may import what.
        .target(
            name: "FilePin", dependencies: ["FileIO", "PinKit"], path: "Sources/Pins/File", swiftSettings: strict),
        .target(name: "NullPin", dependencies: ["PinKit"], path: "Sources/Pins/Null", swiftSettings: strict),
        .target(
            name: "SEVSecretPin", dependencies: ["FileIO", "PinKit", "TEE"], path: "Sources/Pins/SEVSecret",
            swiftSettings: strict),
        .target(name: "SSSPin", dependencies: ["PinKit", "COpenSSL"], path: "Sources/Pins/SSS", swiftSettings: strict),
        .target(
            name: "AttestPin", dependencies: ["BrokerProtocol", "FileIO", "KBSClient", "PinKit", "TEE"],
            path: "Sources/Pins/Attest", swiftSettings: strict),
        .target(
            name: "TPM2Pin", dependencies: ["COpenSSL", "CTSS2", "CTSS2Contexts", "FileIO", "PinKit"],
            path: "Sources/Pins/TPM2", swiftSettings: strict),
        .target(
            name: "TangPin", dependencies: ["FileIO", "HTTPClient", "PinKit"], path: "Sources/Pins/Tang",
            swiftSettings: strict),
        .target(
            name: "TrusteePin", dependencies: ["BrokerProtocol", "KBSClient", "PinKit"], path: "Sources/Pins/Trustee",
            swiftSettings: strict),
        .target(
            name: "ExternalPin", dependencies: ["PinKit", "CSpawn"], path: "Sources/Pins/External", swiftSettings: strict),
        .target(
            name: "PinSet",
            dependencies: [
                "AttestPin", "BrokerProtocol", "FilePin", "NullPin", "PinKit", "SEVSecretPin", "SSSPin", "TPM2Pin",
                "TangPin", "TrusteePin",
            ],
            path: "Sources/Pins/Registry", swiftSettings: strict),

        // Programs.
        .executableTarget(
            name: "cvm-clevis",
            dependencies: [
                "Attestation", "BrokerProtocol", "Diagnosis", "ExternalPin", "FileIO", "HTTPClient", "Initrd", "LaunchInput",
                "LaunchMeasurement", "LUKS",
                "PinKit", "PinSet", "TEE", "TPM2Pin", "TangPin",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "cvm-clevis-unlock",
            dependencies: ["BootFronts", "CBoot", "FileIO", "LUKS", "PinKit", "PinSet", "TEE", "TPM2Pin"],
            swiftSettings: strict,
            // Every run needs them, and who builds an initrd sees them among what the program needs.
            linkerSettings: [.linkedLibrary("cryptsetup"), .linkedLibrary("jose")]),

        // Judges evidence: for who binds and for the broker, never in an initrd.
        .target(name: "Attestation", dependencies: ["PinKit", "TEE", "COpenSSL"], swiftSettings: strict),

        // What is in an initrd, read as a kernel unpacks it.
        .target(name: "Initrd", dependencies: ["CInflate", "FileIO"], swiftSettings: strict),

        // Says what would fail at the next boot: for the command line only.
        .target(
            name: "Diagnosis",
            dependencies: [
                "BootFronts", "BrokerProtocol", "HTTPClient", "Initrd", "LUKS", "PinKit", "TPM2Pin", "TangPin",
            ],
            swiftSettings: strict),

        // What reports will say of a guest, computed before it is launched.
        .target(
            name: "LaunchMeasurement", dependencies: ["COpenSSL", "FileIO", "PinKit"], swiftSettings: strict),

        // What an owner hands to a launch: sessions, secrets, ID blocks.
        .target(name: "LaunchInput", dependencies: ["COpenSSL", "PinKit", "TEE"], swiftSettings: strict),

        // The simulated platform: linked into nothing that is shipped.
        .target(name: "TEESimulator", dependencies: ["PinKit", "TEE", "CFUSE", "COpenSSL"], swiftSettings: strict),
        .executableTarget(
            name: "cvm-tee-sim",
            dependencies: [
                "FileIO", "PinKit", "TEE", "TEESimulator",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),

        .target(name: "SystemTime", swiftSettings: strict),
        // A client of PostgreSQL, for the broker's store.
        .target(name: "PostgreSQL", dependencies: ["BrokerProtocol", "CPQ"], swiftSettings: strict),

        // The guest owner's key broker.
        .target(
            name: "Broker",
            dependencies: [
                "Attestation", "BrokerProtocol", "CMemory", "COpenSSL", "FileIO", "HTTPClient", "PinKit", "PostgreSQL",
                "SystemTime", "TEE",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdTLS", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "cvm-clevis-broker",
            dependencies: [
                "Broker", "BrokerProtocol", "FileIO", "PinKit",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict,
            // Not to be found missing by the first request.
            linkerSettings: [.linkedLibrary("jose")]),

        // Benchmarks: run by Benchmarks/*.sh.
        .executableTarget(
            name: "evidence-benchmark", dependencies: ["Attestation", "COpenSSL", "PinKit", "TEE", "TEESimulator"],
            path: "Benchmarks/Evidence", swiftSettings: strict),

        .executableTarget(
            name: "broker-load",
            dependencies: ["BrokerProtocol", "COpenSSL", "HTTPClient", "PinKit", "TEESimulator"],
            path: "Benchmarks/Load", swiftSettings: strict),

        // What several tests use.
        .target(
            name: "TangServer", dependencies: ["HTTPClient", "PinKit"], path: "Tests/TangServer", swiftSettings: strict),
        .target(
            name: "FakeKBS", dependencies: ["Attestation", "BrokerProtocol", "HTTPClient", "KBSClient", "PinKit", "TEE"],
            path: "Tests/FakeKBS", swiftSettings: strict),
        .target(name: "InitrdMaker", path: "Tests/InitrdMaker", swiftSettings: strict),
        .target(name: "MemoryScan", dependencies: ["PinKit"], path: "Tests/MemoryScan", swiftSettings: strict),
        .target(
            name: "EvidenceVectors", dependencies: ["FileIO", "PinKit"], path: "Tests/EvidenceVectors", swiftSettings: strict
        ),
        .executableTarget(
            name: "luks-bind-crash", dependencies: ["FileIO", "LUKS", "NullPin", "PinKit"], path: "Tests/LUKSBindCrash",
            swiftSettings: strict),

        // Tests mirror Sources.
        .testTarget(name: "PinKitTests", dependencies: ["MemoryScan", "PinKit", "TangServer"], swiftSettings: strict),
        .testTarget(
            name: "TEETests", dependencies: ["PinKit", "TEE", "FileIO", "EvidenceVectors"], swiftSettings: strict),
        .testTarget(
            name: "AttestationTests",
            dependencies: ["Attestation", "PinKit", "TEE", "COpenSSL", "FileIO", "EvidenceVectors"], swiftSettings: strict),
        .testTarget(
            name: "LaunchMeasurementTests", dependencies: ["LaunchMeasurement", "PinKit"], swiftSettings: strict),
        .testTarget(
            name: "LaunchInputTests", dependencies: ["COpenSSL", "LaunchInput", "PinKit", "TEE"], swiftSettings: strict),
        .testTarget(name: "FileIOTests", dependencies: ["FileIO", "PinKit"], swiftSettings: strict),
        .testTarget(
            name: "LUKSTests", dependencies: ["FileIO", "LUKS", "NullPin", "PinKit", "SSSPin", "luks-bind-crash"],
            swiftSettings: strict),
        .testTarget(name: "BootFrontsTests", dependencies: ["BootFronts", "LUKS", "PinKit"], swiftSettings: strict),
        .testTarget(
            name: "SSSPinTests", dependencies: ["MemoryScan", "NullPin", "PinKit", "SSSPin"], swiftSettings: strict),
        .testTarget(
            name: "TPM2PinTests", dependencies: ["FileIO", "MemoryScan", "NullPin", "PinKit", "SSSPin", "TPM2Pin"],
            swiftSettings: strict),
        .testTarget(name: "BrokerProtocolTests", dependencies: ["BrokerProtocol", "PinKit"], swiftSettings: strict),
        .testTarget(
            name: "HTTPClientTests", dependencies: ["HTTPClient", "PinKit"], exclude: ["server.py"], swiftSettings: strict),
        .testTarget(
            name: "AttestPinTests",
            dependencies: [
                "AttestPin", "BrokerProtocol", "FakeKBS", "FileIO", "HTTPClient", "KBSClient", "MemoryScan", "NullPin",
                "PinKit", "SSSPin", "TEE",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "KBSClientTests",
            dependencies: [
                "Attestation", "BrokerProtocol", "EvidenceVectors", "FakeKBS", "KBSClient", "PinKit", "TEE",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "TrusteePinTests",
            dependencies: [
                "BrokerProtocol", "EvidenceVectors", "FakeKBS", "KBSClient", "NullPin", "PinKit", "SSSPin", "TrusteePin",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "TangPinTests", dependencies: ["MemoryScan", "PinKit", "SSSPin", "TangPin", "TangServer"],
            swiftSettings: strict),
        .testTarget(
            name: "ExternalPinTests", dependencies: ["ExternalPin", "MemoryScan", "NullPin", "PinKit", "SSSPin"],
            swiftSettings: strict),
        .testTarget(
            name: "FilePinTests", dependencies: ["FileIO", "FilePin", "PinKit", "SSSPin"], swiftSettings: strict),
        .testTarget(
            name: "SEVSecretPinTests",
            dependencies: ["FileIO", "MemoryScan", "NullPin", "PinKit", "SEVSecretPin", "SSSPin", "TEESimulator"],
            swiftSettings: strict),
        .testTarget(
            name: "DiagnosisTests",
            dependencies: [
                "BrokerProtocol", "Diagnosis", "Initrd", "InitrdMaker", "LUKS", "NullPin", "PinKit", "SEVSecretPin",
                "SSSPin",
                "TangPin", "TangServer",
            ],
            swiftSettings: strict),
        .testTarget(name: "InitrdTests", dependencies: ["Initrd", "InitrdMaker"], swiftSettings: strict),
        .testTarget(
            name: "TEESimulatorTests", dependencies: ["Attestation", "COpenSSL", "PinKit", "TEE", "TEESimulator"],
            swiftSettings: strict),
        .testTarget(
            name: "BrokerTests",
            dependencies: [
                "Attestation", "Broker", "BrokerProtocol", "COpenSSL", "EvidenceVectors", "FileIO", "PinKit", "TEE",
                "TEESimulator",
                "cvm-clevis", "cvm-clevis-broker",
            ],
            exclude: ["vendor.py"], swiftSettings: strict),
    ]
)
