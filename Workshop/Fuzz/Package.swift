// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that building Apus does not build it. Sources of the main package come in by symbolic
// link: the parsers are then part of this package, and their entrances for bytes in memory are open to the driver.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "Fuzz",
    targets: [
        .target(name: "Tensors", swiftSettings: strict),
        .target(name: "Checkpoints", dependencies: ["Tensors"], swiftSettings: strict),
        .executableTarget(name: "Fuzz", dependencies: ["Checkpoints", "Tensors"], swiftSettings: strict),
    ]
)
