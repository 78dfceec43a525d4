import Inference
import Testing

/// One choice from a row, with a history given as arrays.
func choose(
    _ scores: [Float], _ parameters: SamplingParameters, prompt: [Int32] = [], generated: [Int32] = [],
    seed: UInt64 = 1, sample: UInt32 = 0, position: Int? = nil, state: SamplerState? = nil,
    endOfGeneration: [Int32] = [],
    scratch: SamplerScratch? = nil, mask: (any ScoreMask)? = nil
) throws -> SampledToken {
    let vocabulary = SamplingVocabulary(size: scores.count, endOfGeneration: endOfGeneration)
    let sampler = try Sampler(parameters, vocabulary: vocabulary, seed: seed, sampleIndex: sample)
    let tokens = prompt + generated
    return try tokens.withUnsafeBufferPointer { tokens in
        try scores.withUnsafeBufferPointer { row in
            try sampler.sample(
                scores: row, history: TokenHistory(tokens: tokens, promptCount: prompt.count),
                position: position ?? tokens.count, state: state ?? sampler.initialState,
                scratch: scratch ?? SamplerScratch(vocabularySize: scores.count), mask: mask)
        }
    }
}

/// Neutral parameters with some of them changed.
func parameters(_ change: (inout SamplingParameters) -> Void) -> SamplingParameters {
    var parameters = SamplingParameters()
    change(&parameters)
    return parameters
}

/// The distribution that a request draws from at a position: the probability of each token, 0 for removed ones.
func distribution(
    _ scores: [Float], _ parameters: SamplingParameters, prompt: [Int32] = [], generated: [Int32] = [],
    seed: UInt64 = 1, position: Int? = nil, state: SamplerState? = nil, endOfGeneration: [Int32] = []
) throws -> [Double] {
    var parameters = parameters
    parameters.logprobs = scores.count
    parameters.logprobSource = .sampled
    let token = try choose(
        scores, parameters, prompt: prompt, generated: generated, seed: seed, position: position, state: state,
        endOfGeneration: endOfGeneration)
    var probabilities = [Double](repeating: 0, count: scores.count)
    for entry in token.topLogprobs { probabilities[Int(entry.id)] = exponential(Double(entry.logprob)) }
    return probabilities
}

/// Whether two distributions agree to `tolerance` in each entry.
func isClose(_ a: [Double], _ b: [Double], tolerance: Double = 2e-5) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= tolerance }
}
