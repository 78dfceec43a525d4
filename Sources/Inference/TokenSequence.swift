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
    private(set) var limit: Int
    let rotationVariant: Int
    let salt: PrefixIndex.Salt
    let send: (Result<GenerationEvent, EngineError>) -> Void

    var tokens: [Int32]
    /// Tokens whose keys and values are in the cache.
    var computed = 0
    let pages: PageList
    /// Pages at the front that the prefix index knows.
    var indexedPages = 0
    /// The page that it computes next, as others know that it does.
    var pageUnderWay: PrefixIndex.Place?
    /// Keys of its pages in the tiers behind the cache, the first one of no page; as many as were asked for.
    var pageKeys: [PageKey] = []
    var samplerState: SamplerState
    /// The states before each token of the answer, where the sampler has one: a fork begins with the state of its token.
    var formerStates: [SamplerState] = []
    var promptTokens: [PromptToken] = []
    /// Where its states are gathered, of a text to be embedded.
    var pooled: PooledStates?
    var statistics = GenerationStatistics()

    // MARK: What the scheduler notes

    /// Counts up with each arrival; a preempted sequence keeps its own.
    var arrival = 0
    var priority: Priority
    /// The last step in which it waited for a page that another sequence was computing.
    var heldInStep = -1
    /// How often later arrivals went before it.
    var overtaken = 0
    var account: FairShare.Account?
    /// Tokens that its user was charged for.
    var counted = 0
    /// Parallel samples that wait for this one to compute their prompt; they are nowhere else.
    var followers: [TokenSequence] = []

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
        salt = PrefixIndex.Salt(rotationVariant: rotationVariant, text: request.cacheSalt ?? "")
        priority = request.priority
        tokens = request.prompt
        tokens.reserveCapacity(limit)
        pages = PageList(capacity: (limit + pageSize - 1) / pageSize)
        samplerState = sampler.initialState
        if keepsStates { formerStates.reserveCapacity(limit - tokens.count) }
        statistics.promptTokens = tokens.count
    }

    /// Lowers the limit of a request that named none; false where it named one or has come too far.
    func lowerLimit(to length: Int) -> Bool {
        guard request.maximumTokens == nil, tokens.count < length else { return false }
        limit = min(limit, length)
        return true
    }

    /// Adds a token of the answer.
    func append(_ token: SampledToken) {
        if keepsStates { formerStates.append(samplerState) }
        tokens.append(token.id)
        samplerState = token.state
        statistics.generatedTokens += 1
    }

    private var keepsStates: Bool {
        sampler.parameters.mirostat != 0 || sampler.parameters.adaptiveTarget != nil
    }

    /// The sampler's state after so many tokens of the answer.
    func state(after count: Int) -> SamplerState {
        count < formerStates.count ? formerStates[count] : samplerState
    }

    var promptCount: Int { request.prompt.count }
    var generatedCount: Int { tokens.count - promptCount }
    /// Tokens that wait to be computed.
    var gap: Int { tokens.count - computed }

    /// How many tokens may be found in the cache instead of computed: those whose scores nobody wants.
    var findableTokens: Int {
        if let pooled, pooled.pooling == .mean { return min(pooled.done, tokens.count - 1) }
        guard request.promptLogprobs != nil, promptTokens.count < promptCount else { return tokens.count - 1 }
        return max(0, promptTokens.count - 1)
    }

    /// Whether the scores of the row at a position are needed: the last one to choose a token, all of the prompt where
    /// its log-probabilities were asked for.
    func wantsScores(at position: Int) -> Bool {
        if position == tokens.count - 1 { return generatedLimit > generatedCount || wantsPromptScores(at: position) }
        return wantsPromptScores(at: position)
    }

    func wantsPromptScores(at position: Int) -> Bool {
        request.promptLogprobs != nil && position + 1 < promptCount && promptTokens.count <= position + 1
    }

    /// Whether the final hidden state of the row at a position is needed.
    func wantsState(at position: Int) -> Bool { pooled?.wants(position, of: tokens.count) == true }

    /// The most tokens it may generate.
    var generatedLimit: Int { limit - promptCount }
}
