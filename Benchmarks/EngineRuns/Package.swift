// swift-tools-version: 6.2
import PackageDescription

// Programs that embed the library and measure what a client of its engine sees; token_gap.py and trace_replay.py run them.
let package = Package(
    name: "EngineRuns",
    dependencies: [.package(name: "Apus", path: "../..")],
    targets: [
        .executableTarget(name: "TokenGap", dependencies: [.product(name: "Apus", package: "Apus")]),
        .executableTarget(name: "TraceReplay", dependencies: [.product(name: "Apus", package: "Apus")]),
    ]
)
