internal import Tensors

/// A request inside the engine: its tokens, how many of them are computed, and the pages that hold them.
///
/// There are no phases: a prompt, an answer and a recomputation after a preemption are all the gap between `computed` and
/// `tokens.count`, which each step narrows.
final class TokenSequence {
    let id: Int
    let request: GenerationRequest
    let sampler: Sampler
    /// One past the last position it may ever hold.
    let limit: Int
    let rotationVariant: Int
    let send: (Result<GenerationEvent, EngineError>) -> Void

    var tokens: [Int32]
    /// Tokens whose keys and values are in the cache.
    var computed = 0
    let pages: PageList
    /// Pages at the front that the prefix index knows.
    var indexedPages = 0
    var samplerState: SamplerState
    var promptTokens: [PromptToken] = []
    var statistics = GenerationStatistics()

    init(
        id: Int, request: GenerationRequest, sampler: Sampler, limit: Int, pageSize: Int, rotationVariant: Int,
        send: @escaping (Result<GenerationEvent, EngineError>) -> Void
    ) {
        self.id = id
        self.request = request
        self.sampler = sampler
        self.limit = limit
        self.rotationVariant = rotationVariant
        self.send = send
        tokens = request.prompt
        tokens.reserveCapacity(limit)
        pages = PageList(capacity: (limit + pageSize - 1) / pageSize)
        samplerState = sampler.initialState
        statistics.promptTokens = tokens.count
    }

    var promptCount: Int { request.prompt.count }
    var generatedCount: Int { tokens.count - promptCount }
    /// Tokens that wait to be computed.
    var gap: Int { tokens.count - computed }
    var salt: PrefixIndex.Salt { PrefixIndex.Salt(rotationVariant: rotationVariant) }

    /// Whether the scores of the row at a position are needed: the last one to choose a token, all of the prompt where
    /// its log-probabilities were asked for.
    func wantsScores(at position: Int) -> Bool {
        if position == tokens.count - 1 { return generatedLimit > generatedCount || wantsPromptScores(at: position) }
        return wantsPromptScores(at: position)
    }

    func wantsPromptScores(at position: Int) -> Bool {
        request.promptLogprobs != nil && position + 1 < promptCount && promptTokens.count <= position + 1
    }

    /// The most tokens it may generate.
    var generatedLimit: Int { limit - promptCount }
}
