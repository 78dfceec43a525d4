/// How scores become tokens. A method sees the scores of the rows it asked for and says what becomes of the sequence.
protocol GenerationMethod: Sendable {
    /// The token that scores give. Called on any thread, for several sequences at the same time; changes nothing.
    ///
    /// - Parameters:
    ///   - scores: [vocabulary] of the sequence's last token.
    /// - Throws: ``SamplingError`` where the scores allow no token.
    func choose(
        _ scores: UnsafeBufferPointer<Float>, _ sequence: TokenSequence, _ scratch: SamplerScratch
    ) throws(SamplingError) -> SampledToken

    /// What becomes of the sequence. Called on the engine's thread, once for each token, in order.
    func resolve(_ token: SampledToken, _ sequence: TokenSequence) -> Resolution
}

/// What a step makes of a sequence.
struct Resolution {
    /// The token to add; nil where the answer ends without one.
    var append: SampledToken?
    /// Set where nothing follows.
    var finished: FinishReason?
}

/// One token a step, drawn by the request's sampler.
struct Autoregression: GenerationMethod {
    func choose(
        _ scores: UnsafeBufferPointer<Float>, _ sequence: TokenSequence, _ scratch: SamplerScratch
    ) throws(SamplingError) -> SampledToken {
        let promptCount = sequence.promptCount
        let position = sequence.tokens.count
        let (sampler, state) = (sequence.sampler, sequence.samplerState)
        let mask = sequence.request.mask
        var outcome: Result<SampledToken, SamplingError>?
        sequence.tokens.withUnsafeBufferPointer { tokens in
            let history = TokenHistory(tokens: tokens, promptCount: promptCount)
            do throws(SamplingError) {
                outcome = .success(
                    try sampler.sample(
                        scores: scores, history: history, position: position, state: state, scratch: scratch,
                        mask: mask))
            } catch {
                outcome = .failure(error)
            }
        }
        return try outcome!.get()
    }

    func resolve(_ token: SampledToken, _ sequence: TokenSequence) -> Resolution {
        let sampler = sequence.sampler
        let parameters = sampler.parameters
        let ends = !parameters.ignoresEndOfGeneration && sampler.vocabulary.endOfGeneration.contains(token.id)
        if ends || parameters.stopTokens.contains(token.id) { return Resolution(append: nil, finished: .stop) }
        if sequence.request.stop?.shouldStop(after: token.id) == true {
            return Resolution(append: token, finished: .stop)
        }
        let isLast = sequence.generatedCount + 1 >= sequence.generatedLimit
        return Resolution(append: token, finished: isLast ? .length : nil)
    }
}
