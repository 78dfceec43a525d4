import Inference
import Testing

@Suite struct SamplingParameterRanges {
    static let vocabulary = SamplingVocabulary(size: 10, endOfGeneration: [9])

    static func message(_ change: (inout SamplingParameters) -> Void) -> String? {
        do {
            try parameters(change).validate(vocabulary: vocabulary)
            return nil
        } catch {
            return error.description
        }
    }

    @Test func defaultsAndNeutralValuesAreValid() {
        #expect(SamplingParameterRanges.message { _ in } == nil)
        #expect(SamplingParameterRanges.message { $0 = .greedy } == nil)
        #expect(SamplingParameterRanges.message { $0.order = [] } == nil)
        #expect(SamplingParameterRanges.message { $0.logprobs = 10 } == nil)
        #expect(SamplingParameterRanges.message { $0.topK = .max } == nil)
    }

    /// Every number's ends, what lies just beyond them, and NaN.
    @Test func rangesHoldAndNaNIsRefused() {
        let ranges: [(String, WritableKeyPath<SamplingParameters, Float>, valid: [Float], invalid: [Float])] = [
            ("temperature", \.temperature, [0, 1e-6, 1e6], [-1, 1e-7, 2e6, .infinity]),
            ("dynamicTemperatureRange", \.dynamicTemperatureRange, [0, 1e6], [-0.1, .infinity]),
            ("dynamicTemperatureExponent", \.dynamicTemperatureExponent, [0, 100], [-0.1, 101]),
            ("topP", \.topP, [1e-30, 1], [0, -0.1, 1.1]),
            ("minP", \.minP, [0, 1], [-0.1, 1.1]),
            ("typicalP", \.typicalP, [1e-30, 1], [0, -0.1, 1.1]),
            ("topNSigma", \.topNSigma, [0, 1000], [-1, .infinity]),
            ("xtcProbability", \.xtcProbability, [0, 1], [-0.1, 1.1]),
            ("xtcThreshold", \.xtcThreshold, [0, 1], [-0.1, 1.1]),
            ("mirostatTau", \.mirostatTau, [0.1, 100], [0, 101]),
            ("mirostatEta", \.mirostatEta, [0.1, 1], [0, 1.1]),
            ("adaptiveDecay", \.adaptiveDecay, [0, 0.99], [-0.1, 1]),
            ("repetitionPenalty", \.repetitionPenalty, [0.01, 100], [0, -1, 101]),
            ("presencePenalty", \.presencePenalty, [-10000, 10000], [-10001, 10001]),
            ("frequencyPenalty", \.frequencyPenalty, [-10000, 10000], [-10001, 10001]),
            ("dryMultiplier", \.dryMultiplier, [0, 10000], [-1, .infinity]),
            ("dryBase", \.dryBase, [1, 100], [0.9, 101]),
        ]
        for (field, path, valid, invalid) in ranges {
            for value in valid {
                #expect(SamplingParameterRanges.message { $0[keyPath: path] = value } == nil, "\(field)")
            }
            for value in invalid + [.nan] {
                let message = SamplingParameterRanges.message { $0[keyPath: path] = value }
                #expect(message?.hasPrefix("\(field) is \(value), but must be ") == true, "\(field) \(value)")
            }
        }
    }

    @Test func messagesNameFieldValueAndRange() {
        let messages: [(String, (inout SamplingParameters) -> Void)] = [
            ("topK is -1, but must be at least 0 (0 is off).", { $0.topK = -1 }),
            ("mirostat is 3, but must be from 0 to 2.", { $0.mirostat = 3 }),
            ("adaptiveTarget is 1.5, but must be from 0.0 to 1.0.", { $0.adaptiveTarget = 1.5 }),
            ("penaltyLastN is -5, but must be at least 0.", { $0.penaltyLastN = -5 }),
            ("dryAllowedLength is 0, but must be at least 1.", { $0.dryAllowedLength = 0 }),
            ("dryPenaltyLastN is -1, but must be at least 0.", { $0.dryPenaltyLastN = -1 }),
            ("noRepeatNGram is -1, but must be at least 0 (0 is off).", { $0.noRepeatNGram = -1 }),
            ("minTokens is -1, but must be at least 0.", { $0.minTokens = -1 }),
            ("logprobs is 11, but must be from 0 to 10.", { $0.logprobs = 11 }),
            ("stopTokens is token 10, but must be token ids from 0 to 9.", { $0.stopTokens = [1, 10] }),
            ("logitBias is token -1, but must be token ids from 0 to 9.", { $0.logitBias = [3: 1, -1: 2] }),
            (
                "logitBias of token 3 is inf, but must be from -1000000 to 1000000, or -infinity.",
                { $0.logitBias = [3: .infinity] }
            ),
            (
                "logitBias of token 3 is nan, but must be from -1000000 to 1000000, or -infinity.",
                { $0.logitBias = [3: .nan] }
            ),
            ("badWords is an empty token sequence, but must be at least one token long.", { $0.badWords = [[]] }),
            ("badWords is token 12, but must be token ids from 0 to 9.", { $0.badWords = [[1, 12]] }),
            (
                "drySequenceBreakers is an empty token sequence, but must be at least one token long.",
                { $0.drySequenceBreakers = [[1], []] }
            ),
            (
                "thinkingBudget.tokens is -1, but must be at least 0.",
                { $0.thinkingBudget = ThinkingBudget(opening: [1], closing: [2], tokens: -1) }
            ),
            (
                "thinkingBudget opens and closes with the same tokens: give it two different sequences.",
                { $0.thinkingBudget = ThinkingBudget(opening: [1], closing: [1], tokens: 1) }
            ),
            (
                "mirostat and adaptiveTarget both steer the probability of tokens: set only one of them.",
                {
                    $0.mirostat = 2
                    $0.adaptiveTarget = 0.5
                }
            ),
            (
                "mirostat has no effect at temperature 0: raise the temperature or leave it off.",
                {
                    $0.temperature = 0
                    $0.mirostat = 1
                }
            ),
            (
                "order is a list with top_k twice, but must be free of repeats.",
                { $0.order = [.topK, .temperature, .topK] }
            ),
            (
                "order is a list with a stage after mirostat, but must be a list that ends with mirostat or adaptive_p "
                    + "if it has them.",
                { $0.order = [.mirostat, .topK] }
            ),
            (
                "topP is set, but the order has no top_p: add it or leave the parameter off.",
                {
                    $0.topP = 0.5
                    $0.order = [.topK]
                }
            ),
        ]
        for (message, change) in messages { #expect(SamplingParameterRanges.message(change) == message) }
    }

    @Test func stageNamesAreRead() throws {
        for stage in SamplingStageName.allCases { #expect(try SamplingStageName(name: stage.rawValue) == stage) }
        #expect(try SamplingStageName(name: "typ_p") == .typicalP)
        #expect(Set(SamplingStageName.defaultOrder) == Set(SamplingStageName.allCases))
        let error = #expect(throws: SamplingError.self) { try SamplingStageName(name: "topk") }
        #expect(error?.description.hasPrefix("order is \"topk\", but must be a list of penalties, dry,") == true)
    }

    @Test func aSamplerRefusesWhatValidationRefuses() {
        #expect(throws: SamplingError.self) {
            try Sampler(parameters { $0.topP = 2 }, vocabulary: SamplingParameterRanges.vocabulary, seed: 0)
        }
    }
}
