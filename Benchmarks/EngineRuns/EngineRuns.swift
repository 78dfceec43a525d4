/// Runs of the library's engine as its clients see them; token_gap.py and trace_replay.py are what one calls.
@main enum EngineRuns {
    static func main() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        switch arguments.first {
        case "gap" where arguments.count >= 5: try await TokenGap.run(Array(arguments.dropFirst()))
        case "replay" where arguments.count >= 3: try await TraceReplay.run(Array(arguments.dropFirst()))
        default:
            print("EngineRuns gap MODEL PROMPT-LENGTH ANSWERS TARGET-MS…")
            print("EngineRuns replay MODEL WORKLOAD [threads] [most running] [target ms, 0 for none]")
        }
    }
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
