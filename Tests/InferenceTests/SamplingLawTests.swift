import Inference
import Testing

@Suite struct SamplingLaws {
    /// Parameters that put every stage in force.
    static func everything(mirostat: Int = 0) -> SamplingParameters {
        parameters {
            $0.temperature = 0.7
            $0.topK = 5
            $0.topP = 0.6
            $0.minP = 0.2
            $0.typicalP = 0.5
            $0.topNSigma = 1
            $0.xtcProbability = 1
            $0.xtcThreshold = 0.1
            $0.mirostat = mirostat
            $0.mirostatTau = 1
            $0.adaptiveTarget = 0.2
            $0.repetitionPenalty = 1.5
            $0.presencePenalty = 1
            $0.frequencyPenalty = 0.5
            $0.dryMultiplier = 2
            $0.dryAllowedLength = 1
            $0.logitBias = [3: 4, 5: -2]
            $0.badWords = [[2]]
            $0.noRepeatNGram = 2
            $0.minTokens = 100
            $0.stopTokens = [4]
            $0.ignoresEndOfGeneration = true
            $0.thinkingBudget = ThinkingBudget(opening: [6], closing: [7], tokens: 3)
        }
    }

    static let vocabulary = SamplingVocabulary(size: 24, endOfGeneration: [8])

    static func stages() -> [any SamplingStage] {
        var dynamic = everything(mirostat: 2)
        dynamic.dynamicTemperatureRange = 0.5
        return [everything(mirostat: 1), dynamic].flatMap { parameters in
            SamplingStages.shaping.compactMap { $0.make(parameters, vocabulary) }
                + SamplingStages.constraints.compactMap { $0(parameters, vocabulary) }
        }
    }

    /// Stages that say so keep the greedy choice on every row; each of the others changes it on some row.
    @Test func preservesArgmaxIsTheTruth() throws {
        var generator = TestGenerator(31)
        let scratch = SamplerScratch(vocabularySize: 24)
        let start = try Sampler(parameters { $0.mirostatTau = 1 }, vocabulary: SamplingLaws.vocabulary, seed: 0)
            .initialState
        let stages = SamplingLaws.stages()
        #expect(stages.count == 2 * (SamplingStageName.allCases.count + 6))
        var changed = Set<Int>()
        var broken = Set<Int>()
        for round in 0..<300 {
            let row = generator.row(24, spread: [0.4, 2, 6][round % 3], isCoarse: round % 2 == 0)
            let history = (0..<12).map { _ in Int32.random(in: 0..<12, using: &generator) }
            for (place, stage) in stages.enumerated() {
                let isKept: Bool = history.withUnsafeBufferPointer { tokens in
                    row.withUnsafeBufferPointer { row in
                        let scores = Candidates(scratch).scores
                        _ = scores.update(fromContentsOf: row)
                        var candidates = Candidates(scratch)
                        let best = candidates.id(candidates.argmax!)
                        stage.apply(
                            to: &candidates,
                            in: StageContext(
                                history: TokenHistory(tokens: tokens, promptCount: 6), position: round,
                                noise: AddressedNoise(seed: 3), state: start))
                        guard let index = candidates.index(of: best) else { return false }
                        return candidates.scores[index] == candidates.highest
                    }
                }
                if !isKept {
                    changed.insert(place)
                    if stage.preservesArgmax { broken.insert(place) }
                }
            }
        }
        #expect(broken.isEmpty)
        #expect(changed.count == stages.filter { !$0.preservesArgmax }.count)
    }

    /// Greedy decoding leaves stages out; it must choose what running them and taking the best would.
    @Test func greedyEqualsTheLimitOfLowTemperature() throws {
        var generator = TestGenerator(32)
        for round in 0..<60 {
            let row = generator.row(24)
            let history = (0..<12).map { _ in Int32.random(in: 0..<12, using: &generator) }
            var request = SamplingLaws.everything()
            request.adaptiveTarget = nil
            request.thinkingBudget = nil
            request.temperature = 0
            let greedy = try choose(row, request, generated: history, position: round)
            request.temperature = 1e-6
            #expect(try choose(row, request, generated: history, position: round).id == greedy.id)
        }
    }

    @Test func aNeutralRequestLeavesTheModelsDistribution() throws {
        var generator = TestGenerator(33)
        let row = generator.row(200)
        let history = (0..<50).map { _ in Int32.random(in: 0..<200, using: &generator) }
        #expect(isClose(try distribution(row, SamplingParameters(), generated: history), softmax(row), tolerance: 1e-6))
    }

    @Test func orderMatters() throws {
        let row: [Float] = [3, 2, 1.5, 1, 0.5, 0, -1]
        var request = parameters {
            $0.temperature = 3
            $0.topP = 0.7
        }
        let filterFirst = try distribution(row, request)
        request.order = [.temperature, .topP]
        let temperatureFirst = try distribution(row, request)
        #expect(filterFirst.filter { $0 > 0 }.count == 2)
        #expect(temperatureFirst.filter { $0 > 0 }.count == 4)
        #expect(isClose(temperatureFirst, renormalised(softmax(row.map { Double($0) / 3 }), keeping: [0, 1, 2, 3])))
    }

    /// With every stage in force the choice depends on the arguments alone: not on the scratch's past, not on the
    /// order.
    @Test func choicesArePure() throws {
        var generator = TestGenerator(34)
        let rows = (0..<30).map { _ in generator.row(24) }
        let history = (0..<20).map { _ in Int32.random(in: 0..<12, using: &generator) }
        let scratch = SamplerScratch(vocabularySize: 24)
        var request = SamplingLaws.everything()
        request.logprobs = 4
        func run(_ place: Int, _ scratch: SamplerScratch?) throws -> SampledToken {
            let history = Array(history.prefix(place))
            return try choose(rows[place % 30], request, generated: history, position: place, scratch: scratch)
        }
        let forward = try (0..<20).map { try run($0, scratch) }
        let backward = try (0..<20).reversed().map { try run($0, scratch) }
        let fresh = try (0..<20).map { try run($0, nil) }
        #expect(forward == backward.reversed())
        #expect(forward == fresh)
        #expect(Set(forward.map(\.id)).count > 3)
    }

    /// What truncation leaves out is never drawn.
    @Test func drawsStayAmongTheSurvivors() throws {
        var generator = TestGenerator(35)
        let row = generator.row(60)
        let request = parameters {
            $0.topK = 9
            $0.minP = 0.01
            $0.temperature = 4
        }
        let survivors = Set(
            try distribution(row, request).enumerated().filter { $0.element > 0 }.map { Int32($0.offset) })
        var seen: Set<Int32> = []
        for position in 0..<600 { seen.insert(try choose(row, request, position: position).id) }
        #expect(seen == survivors)
    }
}
