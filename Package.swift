// swift-tools-version:6.2
import PackageDescription

// Layers, top to bottom (ARCHITECTURE.md). Dependencies point down only; Tests/ArchitectureTests checks the imports.
let package = Package(
    name: "hearth",
    products: [
        .executable(name: "hearth", targets: ["hearth"]),
        .library(name: "HearthKernels", targets: ["HearthCompute", "HearthKernels", "HearthRoofline"]),
        // cblas_sgemm for C programs.
        .library(name: "hearth_blas", type: .dynamic, targets: ["HearthBLAS"]),
        .library(name: "HearthInference", targets: ["HearthFormats", "HearthModels", "HearthInference"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(
            url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: ["FullFoundation"]),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // C: no policy, only what Swift cannot say.
        .target(name: "CVulkan", path: "CModules/CVulkan"),
        .target(name: "COpenBLAS", path: "CModules/COpenBLAS"),
        .target(name: "CKernels", path: "CModules/CKernels", cSettings: [.unsafeFlags(["-O3"])]),
        .target(name: "CBLAS", path: "CModules/CBLAS"),
        .target(
            name: "CShaders", path: "CModules/CShaders",
            cSettings: [.unsafeFlags(["-Wno-c23-extensions"])]),

        .target(name: "CProcess", path: "CModules/CProcess"),
        .target(name: "CNVML", path: "CModules/CNVML"),

        // For both planes.
        .target(name: "HearthJSON"),

        // Compute plane.
        .target(name: "HearthRoofline"),
        .target(name: "HearthCompute", dependencies: ["CVulkan", "CKernels", "HearthRoofline"]),
        .target(
            name: "HearthKernels",
            dependencies: ["HearthCompute", "HearthRoofline", "CKernels", "CShaders", "COpenBLAS"]),
        .target(name: "HearthBLAS", dependencies: ["HearthKernels", "HearthCompute", "CBLAS"]),
        .target(
            name: "HearthFormats",
            dependencies: ["HearthJSON", .product(name: "HeapModule", package: "swift-collections")]),
        .target(name: "HearthGrammar", dependencies: ["HearthJSON"]),
        .target(name: "HearthModels", dependencies: ["HearthKernels", "HearthFormats"]),
        .target(
            name: "HearthInference",
            dependencies: [
                "HearthModels", "HearthKernels", "HearthFormats", "HearthGrammar",
                .product(name: "DequeModule", package: "swift-collections"),
            ]),
        .target(name: "HearthBench", dependencies: ["HearthKernels"]),

        // Control plane.
        .target(
            name: "HearthPolicy",
            dependencies: ["HearthJSON", "HearthLedger", .product(name: "Crypto", package: "swift-crypto")]),
        .target(
            name: "HearthLedger", dependencies: ["HearthJSON", .product(name: "Crypto", package: "swift-crypto")]),
        .target(
            name: "HearthFleet",
            dependencies: ["HearthJSON", "HearthPolicy", "HearthRoofline", .product(name: "Yams", package: "Yams")]),
        .target(
            name: "HearthIdentity",
            dependencies: [
                "HearthFleet", "HearthJSON", "HearthPolicy", .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "X509", package: "swift-certificates"),
            ]),
        .target(name: "HearthPlacement", dependencies: ["HearthFleet", "HearthPolicy", "HearthRoofline"]),
        .target(
            name: "HearthEvidence",
            dependencies: [
                "HearthFleet", "HearthJSON", "HearthLedger", "HearthPolicy",
                .product(name: "Crypto", package: "swift-crypto"),
            ]),
        .target(name: "HearthStore", dependencies: ["HearthFleet", .product(name: "GRDB", package: "GRDB.swift")]),
        .target(
            name: "HearthAgent",
            dependencies: [
                "CProcess", "HearthEvidence", "HearthFleet", "HearthIdentity", "HearthJSON", "HearthPolicy",
                "HearthStore",
                "HearthTelemetry", .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOFoundationCompat", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]),
        .target(
            name: "HearthCoordinator",
            dependencies: [
                "HearthFleet", "HearthIdentity", "HearthJSON", "HearthLedger", "HearthPlacement", "HearthPolicy",
                "HearthStore",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdTLS", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "Mustache", package: "swift-mustache"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]),

        // What the machine says of itself.
        .target(name: "HearthTelemetry", dependencies: ["CNVML"]),

        .target(
            name: "HearthServe",
            dependencies: [
                "HearthCompute", "HearthFleet", "HearthFormats", "HearthGrammar", "HearthInference", "HearthJSON",
                "HearthRoofline", "HearthTelemetry",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdTLS", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOFoundationCompat", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]),

        // Arguments to library calls.
        .executableTarget(
            name: "hearth",
            dependencies: [
                "HearthAgent", "HearthBench", "HearthCoordinator", "HearthEvidence", "HearthFleet", "HearthIdentity",
                "HearthInference",
                "HearthJSON",
                "HearthLedger", "HearthPlacement", "HearthPolicy", "HearthServe", "HearthTelemetry",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ]),

        // Tests mirror Sources.
        .target(name: "Support", dependencies: ["HearthCompute", "HearthRoofline"], path: "Tests/Support"),
        .testTarget(name: "ArchitectureTests", dependencies: ["HearthKernels", "Support"]),
        .testTarget(name: "HearthRooflineTests", dependencies: ["HearthRoofline", "Support"]),
        .testTarget(name: "HearthComputeTests", dependencies: ["HearthCompute", "HearthKernels", "Support"]),
        .testTarget(name: "HearthKernelsTests", dependencies: ["CKernels", "HearthKernels", "Support"]),
        .testTarget(name: "HearthBenchTests", dependencies: ["HearthBench", "HearthCompute", "HearthRoofline"]),
        .testTarget(name: "HearthFormatsTests", dependencies: ["HearthFormats", "Support"]),
        .testTarget(name: "HearthJSONTests", dependencies: ["HearthJSON"]),
        .testTarget(
            name: "HearthLedgerTests",
            dependencies: ["HearthLedger", .product(name: "Crypto", package: "swift-crypto")]),
        .testTarget(name: "HearthPolicyTests", dependencies: ["HearthLedger", "HearthPolicy"]),
        .testTarget(
            name: "HearthAgentTests",
            dependencies: ["HearthAgent", "HearthFleet", "HearthLedger", "HearthPolicy", "HearthRoofline", "Support"]),
        .testTarget(
            name: "HearthEvidenceTests",
            dependencies: ["HearthEvidence", "HearthFleet", "HearthJSON", "HearthLedger", "HearthPolicy"]),
        .testTarget(name: "HearthIdentityTests", dependencies: ["HearthFleet", "HearthIdentity", "Support"]),
        .testTarget(
            name: "HearthPlacementTests",
            dependencies: ["HearthFleet", "HearthPlacement", "HearthPolicy", "HearthRoofline", "Support"]),
        .testTarget(name: "HearthTelemetryTests", dependencies: ["HearthTelemetry", "Support"]),
        .testTarget(name: "HearthGrammarTests", dependencies: ["HearthGrammar", "HearthJSON", "Support"]),
        .testTarget(
            name: "HearthInferenceTests", dependencies: ["HearthGrammar", "HearthInference", "HearthModels", "Support"]),
        .testTarget(
            name: "HearthFleetTests", dependencies: ["HearthFleet", "HearthPolicy", "HearthRoofline", "Support"]),
        .testTarget(
            name: "HearthCoordinatorTests",
            dependencies: [
                "HearthCoordinator", "HearthFleet", "HearthIdentity", "HearthJSON", "HearthLedger", "HearthPolicy",
                "Support",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "HummingbirdTesting", package: "hummingbird"),
                .product(name: "Yams", package: "Yams"),
            ]),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "HearthAgent", "HearthFleet", "HearthTelemetry", "Support",
                .product(name: "GRDB", package: "GRDB.swift"),
            ]),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .gnu17
)
