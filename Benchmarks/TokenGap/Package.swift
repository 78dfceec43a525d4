// swift-tools-version: 6.2
import PackageDescription

// Times between the tokens of running answers while a long prompt is computed; see token_gap.py.
let package = Package(
    name: "TokenGap",
    dependencies: [.package(name: "Apus", path: "../..")],
    targets: [.executableTarget(name: "TokenGap", dependencies: [.product(name: "Apus", package: "Apus")])]
)
