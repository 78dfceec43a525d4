internal import Tensors

/// A chosen token.
public struct SampledToken: Sendable, Equatable {
    /// The token's id.
    public let id: Int32
    /// Its log-probability (natural logarithm), if the parameters ask for log-probabilities.
    public let logprob: Float?
    /// The most probable tokens and their log-probabilities, most probable first, equal ones by ascending id; as many
    /// as the parameters ask for, fewer if fewer have a probability.
    public let topLogprobs: [TokenLogprob]
    /// The sequence's sampling state once this token is committed.
    public let state: SamplerState
}

/// Chooses tokens as one request asks: its parameters, compiled once into the stages that are not neutral.
///
/// `sample` is a function of its arguments alone, so it can be asked again, in any order, for drafts too: a draft is
/// right where it equals the token that this function gives.
///
/// A draw inverts the cumulative distribution over the surviving candidates in ascending token id with one uniform
/// number, addressed by (seed, sample index, position, `NoisePurpose.token`): see `Candidates.draw`. At temperature 0
/// the token is the highest score, the lowest id among equals.
public struct Sampler: Sendable {
    /// The parameters, all of them valid.
    public let parameters: SamplingParameters
    /// The vocabulary of the scores.
    public let vocabulary: SamplingVocabulary
    /// Where the request's random numbers come from.
    public let noise: AddressedNoise
    private let stages: [any SamplingStage]

    /// Compiles parameters for one answer. Throws for parameters that `validate(vocabulary:)` refuses.
    public init(
        _ parameters: SamplingParameters, vocabulary: SamplingVocabulary, seed: UInt64, sampleIndex: UInt32 = 0
    ) throws(SamplingError) {
        try parameters.validate(vocabulary: vocabulary)
        self.parameters = parameters
        self.vocabulary = vocabulary
        noise = AddressedNoise(seed: seed, sampleIndex: sampleIndex)
        var stages = SamplingStages.constraints.compactMap { $0(parameters, vocabulary) }
        for name in parameters.order {
            guard let make = SamplingStages.shaping.first(where: { $0.name == name })?.make,
                let stage = make(parameters, vocabulary)
            else { continue }
            stages.append(stage)
            // One candidate is left at temperature 0: later stages could change nothing.
            if name == .temperature && parameters.isGreedy { break }
        }
        if parameters.isGreedy {
            while let last = stages.last, last.preservesArgmax { stages.removeLast() }
        }
        self.stages = stages
    }

    /// The state of a sequence of which nothing has been chosen yet.
    public var initialState: SamplerState { SamplerState(parameters) }

    /// Chooses the token at `position`.
    ///
    /// - Parameters:
    ///   - scores: [vocabulary] the model's scores (logits) for that position; left as they are.
    ///   - history: the tokens before it.
    ///   - position: its absolute position, which addresses the noise.
    ///   - state: the sequence's state after the tokens before it.
    ///   - scratch: working memory for this vocabulary.
    ///   - mask: what the request's grammar allows here, if it has one.
    /// - Returns: the token; its `state` becomes the sequence's when the token is committed.
    /// - Throws: `.notANumber` or `.overflow` for broken scores, `.noCandidate` if every token is banned.
    /// - Complexity: O(vocabulary), without heap allocation unless log-probabilities of further tokens are asked for.
    public func sample(
        scores: UnsafeBufferPointer<Float>, history: TokenHistory, position: Int, state: SamplerState,
        scratch: SamplerScratch, mask: (any ScoreMask)? = nil
    ) throws(SamplingError) -> SampledToken {
        precondition(scores.count == vocabulary.size && scratch.vocabularySize == vocabulary.size)
        let largest = try SamplerScratch.check(scores, position: position)
        if stages.isEmpty && mask == nil && parameters.isGreedy
            && (parameters.logprobs == nil || parameters.logprobSource == .model)
        {
            guard largest > -.infinity, let best = ScalarMath.firstIndex(of: largest, in: scores) else {
                throw .noCandidate(position: position)
            }
            return token(Int32(best), modelScores: scores, sampled: nil, scratch, state)
        }

        _ = scratch.scores.update(fromContentsOf: scores)
        mask?.apply(to: scratch.scores, history: history)
        var candidates = Candidates(scratch)
        let context = StageContext(history: history, position: position, noise: noise, state: state)
        for stage in stages { stage.apply(to: &candidates, in: context) }

        let drawn: Candidates.Draw
        if parameters.isGreedy {
            guard let best = candidates.argmax else { throw .noCandidate(position: position) }
            candidates.filter { $0 == best }
            drawn = Candidates.Draw(index: 0, probability: 1)
        } else {
            let uniform = noise.uniform(position: position, purpose: .token)
            guard let draw = candidates.draw(uniform) else { throw .noCandidate(position: position) }
            drawn = draw
        }
        var next = state
        for stage in stages {
            stage.advance(&next, index: drawn.index, probability: drawn.probability, candidates: candidates)
        }
        let id = candidates.id(drawn.index)
        return token(id, modelScores: scores, sampled: candidates, scratch, next)
    }

    private func token(
        _ id: Int32, modelScores: UnsafeBufferPointer<Float>, sampled: Candidates?, _ scratch: SamplerScratch,
        _ state: SamplerState
    ) -> SampledToken {
        guard let limit = parameters.logprobs else {
            return SampledToken(id: id, logprob: nil, topLogprobs: [], state: state)
        }
        guard parameters.logprobSource == .sampled, var row = sampled else {
            let (chosen, top) = scratch.modelLogprobs(modelScores, of: id, top: limit)
            return SampledToken(id: id, logprob: chosen, topLogprobs: top, state: state)
        }
        let normaliser = row.logSumExp
        let chosen = row.index(of: id).map { Float(Double(row.scores[$0]) - normaliser) }
        return SampledToken(
            id: id, logprob: chosen, topLogprobs: row.highest(limit, normaliser: normaliser), state: state)
    }
}
