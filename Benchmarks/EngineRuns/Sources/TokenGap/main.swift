import Apus
import Inference

// TokenGap MODEL PROMPT-LENGTH ANSWERS TARGET-MS…: for each target (0: none) a new engine runs the answers, then computes the
// prompt beside them. One line of JSON for each.
let arguments = CommandLine.arguments
guard arguments.count >= 5, let length = Int(arguments[2]), let answers = Int(arguments[3]) else {
    fatalError("usage: TokenGap MODEL PROMPT-LENGTH ANSWERS TARGET-MS…")
}

func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
}

func quantile(_ values: [Double], _ part: Double) -> Double {
    let sorted = values.sorted()
    return sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(part * Double(sorted.count)))]
}

func round(_ value: Double) -> Double { (value * 10000).rounded() / 10000 }

for target in arguments.dropFirst(4).compactMap({ Int($0) }) {
    var configuration = EngineConfiguration()
    configuration.targetITL = target > 0 ? .milliseconds(target) : nil
    configuration.sharesPrefixes = false
    configuration.cacheType = .f16
    configuration.cacheBytes = 3 << 30
    let model = try LanguageModel.load(arguments[1], configuration: configuration)
    var sampling = SamplingParameters()
    sampling.ignoresEndOfGeneration = true
    let vocabulary = model.shape.vocabulary
    let clock = ContinuousClock()

    var running: [RunningRequest] = []
    for index in 0..<answers {
        let beginning = (0..<16).map { (place: Int) -> Int32 in Int32((place * 37 + index * 101 + 1) % vocabulary) }
        running.append(
            try model.engine.start(
                GenerationRequest(prompt: beginning, sampling: sampling, maximumTokens: 12_000, seed: UInt64(index))))
    }
    let readers = running.map { request in
        Task {
            var times: [ContinuousClock.Instant] = []
            for try await event in request.events {
                if case .token = event { times.append(clock.now) }
            }
            return times
        }
    }
    try await Task.sleep(for: .seconds(2))
    let begin = clock.now
    let tokens = (0..<length).map { (place: Int) -> Int32 in
        Int32((place * place * 3 + place * 7 + 11) % vocabulary)
    }
    let prompt = try model.engine.start(GenerationRequest(prompt: tokens, sampling: sampling, maximumTokens: 1))
    var end = begin
    for try await event in prompt.events {
        if case .token = event { end = clock.now }
    }
    for request in running { request.cancel() }
    var gaps: [Double] = []
    var alone: [Double] = []
    for reader in readers {
        let times = try await reader.value
        for (earlier, later) in zip(times, times.dropFirst()) {
            if earlier >= begin && later <= end { gaps.append(seconds(later - earlier)) }
            if later < begin { alone.append(seconds(later - earlier)) }
        }
    }
    print(
        "{\"target_ms\": \(target), \"gaps\": \(gaps.count), \"alone_p50\": \(round(quantile(alone, 0.5))), "
            + "\"p50\": \(round(quantile(gaps, 0.5))), \"p99\": \(round(quantile(gaps, 0.99))), "
            + "\"max\": \(round(gaps.max() ?? 0)), \"prompt_seconds\": \(round(seconds(end - begin)))}")
}
