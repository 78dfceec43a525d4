// swift-tools-version: 6.2
import PackageDescription

// Every target is Swift 6 mode; a warning is an error; an import is internal unless it says otherwise.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "Apus",
    products: [
        .library(name: "Apus", targets: ["Apus"]),
        .executable(name: "apus", targets: ["CLI"]),
        .executable(name: "apus-serve", targets: ["ServerCommand"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        // The server alone compiles these.
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0", traits: []),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: ["JSON"]),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
    ],
    targets: [
        .target(name: "CKernels"),
        .target(name: "Tensors", dependencies: ["CKernels"], swiftSettings: strict),
        .target(name: "Checkpoints", dependencies: ["Tensors"], swiftSettings: strict),
        .target(name: "Text", swiftSettings: strict),
        .target(name: "Models", dependencies: ["Tensors", "Checkpoints"], swiftSettings: strict),
        .target(name: "Inference", dependencies: ["Models", "Tensors"], swiftSettings: strict),
        .target(
            name: "Apus", dependencies: ["Inference", "Models", "Checkpoints", "Tensors", "Text"],
            resources: [.copy("Resources")], swiftSettings: strict),
        // The system's SQLite, by the name of its runtime library: Swift on Linux depends on it already.
        .target(name: "CSQLite", linkerSettings: [.linkedLibrary(":libsqlite3.so.0")]),
        .target(name: "Storage", dependencies: ["CSQLite"], swiftSettings: strict),
        .target(name: "OpenAI", dependencies: ["Apus", "Inference", "Models", "Text"], swiftSettings: strict),
        .target(
            name: "BatchJobs", dependencies: ["OpenAI", "Storage", "Apus", "Inference", "Models", "Text"],
            swiftSettings: strict),
        .target(name: "Conversation", dependencies: ["Apus", "Inference", "Text"], swiftSettings: strict),
        .target(
            name: "Evaluation", dependencies: ["Apus", "Inference", "Models", "Checkpoints", "Tensors", "Text"],
            swiftSettings: strict),
        .target(
            name: "Compression",
            dependencies: ["Evaluation", "Apus", "Inference", "Models", "Checkpoints", "Tensors", "Text"],
            swiftSettings: strict),
        .target(
            name: "Benchmarking", dependencies: ["Inference", "Models", "Checkpoints", "Tensors", "CKernels"],
            swiftSettings: strict),
        // The HTTP server. Nothing but its own executable and its tests depends on it, so nobody else compiles an HTTP stack.
        .target(
            name: "Server",
            dependencies: [
                "Apus", "BatchJobs", "Checkpoints", "Inference", "Models", "OpenAI", "Storage", "Tensors", "Text",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdTLS", package: "hummingbird"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
            ],
            resources: [.copy("Resources")], swiftSettings: strict),
        .executableTarget(
            name: "ServerCommand",
            dependencies: [
                "Server", "Inference", "Tensors",
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "CLI",
            dependencies: [
                "Apus", "BatchJobs", "Benchmarking", "Compression", "Conversation", "Evaluation", "Inference", "Models",
                "OpenAI", "Checkpoints", "Tensors", "Text",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),

        // What Benchmarks/token_gap.py and trace_replay.py run; no product.
        .executableTarget(
            name: "EngineRuns", dependencies: ["Apus", "Inference"], path: "Benchmarks/EngineRuns",
            swiftSettings: strict),
        .target(
            name: "TestKit", dependencies: ["Inference", "Models", "Checkpoints", "Tensors"], swiftSettings: strict),
        .target(name: "AllocationCounter", path: "Tests/AllocationCounter"),
        .testTarget(name: "TensorsTests", dependencies: ["Tensors", "CKernels"], swiftSettings: strict),
        .testTarget(
            name: "CheckpointsTests", dependencies: ["Checkpoints", "Tensors"], resources: [.copy("Goldens")],
            swiftSettings: strict),
        .testTarget(name: "TextTests", dependencies: ["Text"], resources: [.copy("Goldens")], swiftSettings: strict),
        .testTarget(
            name: "ModelsTests", dependencies: ["TestKit", "Models", "Checkpoints", "Tensors"], swiftSettings: strict),
        .testTarget(
            name: "AllocationTests",
            dependencies: ["AllocationCounter", "TestKit", "Inference", "Models", "Checkpoints", "Tensors"],
            swiftSettings: strict),
        .testTarget(name: "ChatTests", dependencies: ["Conversation", "Apus", "Inference"], swiftSettings: strict),
        .testTarget(
            name: "InferenceTests", dependencies: ["TestKit", "Inference", "Models", "Checkpoints", "Tensors"],
            resources: [.copy("Goldens")], swiftSettings: strict),
        .testTarget(
            name: "ApusTests", dependencies: ["Apus", "Inference", "Checkpoints", "Text"],
            resources: [.copy("Goldens")], swiftSettings: strict),
        .testTarget(
            name: "EvaluationTests",
            dependencies: ["Evaluation", "TestKit", "Apus", "Inference", "Models", "Checkpoints"],
            resources: [.copy("Goldens")], swiftSettings: strict),
        .testTarget(
            name: "CompressionTests",
            dependencies: [
                "Compression", "Evaluation", "TestKit", "Apus", "Inference", "Models", "Checkpoints", "Tensors", "Text",
            ],
            resources: [.copy("Goldens")], swiftSettings: strict),
        .testTarget(
            name: "BenchmarkingTests", dependencies: ["Benchmarking", "Inference", "Models", "Checkpoints", "Tensors"],
            swiftSettings: strict),
        .testTarget(
            name: "BatchTests",
            dependencies: [
                "BatchJobs", "OpenAI", "Storage", "TestKit", "Apus", "Inference", "Models", "Checkpoints", "Text", "CLI",
            ],
            resources: [.copy("Goldens")], swiftSettings: strict),
        // The tests run the server as a process; the dependency makes sure that it is built.
        .testTarget(
            name: "ServerTests",
            dependencies: [
                "Server", "ServerCommand", "TestKit", "OpenAI", "Text", .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        // The tests run the command as a process; the dependency makes sure that it is built.
        .testTarget(name: "CLITests", dependencies: ["CLI", "TestKit"], swiftSettings: strict),
    ]
)
