// swift-tools-version: 6.2
import PackageDescription

// Every target is Swift 6 mode; a warning is an error; an import is internal unless it says otherwise.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "Apus",
    targets: [
        .target(name: "CKernels"),
        .target(name: "Tensors", dependencies: ["CKernels"], swiftSettings: strict),
        .target(name: "Checkpoints", dependencies: ["Tensors"], swiftSettings: strict),
        .target(name: "Text", swiftSettings: strict),
        .target(name: "Inference", dependencies: ["Tensors"], swiftSettings: strict),
        .testTarget(name: "TensorsTests", dependencies: ["Tensors"], swiftSettings: strict),
        .testTarget(name: "CheckpointsTests", dependencies: ["Checkpoints", "Tensors"], swiftSettings: strict),
        .testTarget(name: "TextTests", dependencies: ["Text"], resources: [.copy("Goldens")], swiftSettings: strict),
        .testTarget(name: "InferenceTests", dependencies: ["Inference", "Tensors"], resources: [.copy("Goldens")], swiftSettings: strict),
    ]
)
