internal import Apus
internal import Inference

/// For each target (0: none) a new engine runs some answers, then computes a long prompt beside them. One line of JSON for each.
enum TokenGap {
    static func run(_ arguments: [String]) async throws {
        guard let length = Int(arguments[1]), let answers = Int(arguments[2]) else { return }
        for target in arguments.dropFirst(3).compactMap({ Int($0) }) {
            try await measure(arguments[0], length, answers, target)
        }
    }

    private static func measure(_ file: String, _ length: Int, _ answers: Int, _ target: Int) async throws {
        var configuration = EngineConfiguration()
        configuration.targetITL = target > 0 ? .milliseconds(target) : nil
        configuration.sharesPrefixes = false
        configuration.cacheType = .f16
        configuration.cacheBytes = 3 << 30
        let model = try LanguageModel.load(file, configuration: configuration)
        var sampling = SamplingParameters()
        sampling.ignoresEndOfGeneration = true
        let vocabulary = model.shape.vocabulary
        let clock = ContinuousClock()

        var running: [RunningRequest] = []
        for index in 0..<answers {
            let beginning = (0..<16).map { (place: Int) -> Int32 in Int32((place * 37 + index * 101 + 1) % vocabulary) }
            running.append(
                try model.engine.start(
                    GenerationRequest(
                        prompt: beginning, sampling: sampling, maximumTokens: 12_000, seed: UInt64(index))))
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
                if earlier >= begin && later <= end { gaps.append((later - earlier).seconds) }
                if later < begin { alone.append((later - earlier).seconds) }
            }
        }
        print(
            "{\"target_ms\": \(target), \"gaps\": \(gaps.count), \"alone_p50\": \(round(quantile(alone, 0.5))), "
                + "\"p50\": \(round(quantile(gaps, 0.5))), \"p99\": \(round(quantile(gaps, 0.99))), "
                + "\"max\": \(round(gaps.max() ?? 0)), \"prompt_seconds\": \(round((end - begin).seconds))}")
    }

    private static func quantile(_ values: [Double], _ part: Double) -> Double {
        let sorted = values.sorted()
        return sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(part * Double(sorted.count)))]
    }

    private static func round(_ value: Double) -> Double { (value * 10000).rounded() / 10000 }
}
