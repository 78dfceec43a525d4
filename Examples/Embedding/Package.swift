// swift-tools-version: 6.2
import PackageDescription

// A program that tells a story by the library, as any package can.
let package = Package(
    name: "Embedding",
    dependencies: [.package(name: "Apus", path: "../..")],
    targets: [.executableTarget(name: "Embedding", dependencies: [.product(name: "Apus", package: "Apus")])]
)
