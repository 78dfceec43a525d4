/// What lives in an engine between two steps.
public struct EngineSnapshot: Sendable {
    public let statistics: EngineStatistics
    /// Tokens that a page holds.
    public let pageSize: Int
    /// Those that run, in the order in which they are given rows, then those that wait, by arrival.
    public let requests: [LiveRequest]
    /// Every page of the cache, by its number.
    public let pages: [PageUse]
    public let prefixes: PrefixSummary
}

/// A request that has not ended.
public struct LiveRequest: Sendable {
    public enum Stage: String, Sendable, CaseIterable {
        /// In the queue, also after it had to give up its pages.
        case waiting
        /// A parallel sample that waits for another one to compute their prompt.
        case sample
        /// Its prompt, or what it had computed before it gave up its pages, is being computed.
        case prompt
        /// A token a step.
        case answer
    }

    /// Its number in the engine.
    public let id: Int
    public let stage: Stage
    /// Whether it is a text to be embedded.
    public let isEmbedding: Bool
    /// Tokens that it has, prompt and answer, and those whose keys and values are in its pages.
    public let tokens: Int
    public let computedTokens: Int
    /// The most tokens that it may have.
    public let limit: Int
    /// Its pages, in order of its tokens.
    public let pages: [Int32]
    public let priority: Priority
    public let user: String?
    public let deadline: ContinuousClock.Instant?
    /// What it has cost so far, and when it came.
    public let statistics: GenerationStatistics

    init(_ sequence: TokenSequence, _ stage: Stage) {
        id = sequence.id
        self.stage = stage
        isEmbedding = sequence.pooled != nil
        tokens = sequence.tokens.count
        computedTokens = sequence.computed
        limit = sequence.limit
        pages = (0..<sequence.pages.count).map { sequence.pages[$0] }
        priority = sequence.priority
        user = sequence.request.user
        deadline = sequence.request.deadline
        statistics = sequence.statistics
    }
}

/// Who uses a page of the cache: nobody where neither is so.
public struct PageUse: Sendable, Equatable {
    /// Requests that hold it.
    public let holders: Int
    /// Whether the prefix index knows what it holds.
    public let isIndexed: Bool

    public var isFree: Bool { holders == 0 && !isIndexed }
}

extension SequenceCache {
    var pageUses: [PageUse] {
        (0..<Int32(pool.count)).map { page in
            let isIndexed = index.contains(page)
            return PageUse(holders: pool.referenceCount(page) - (isIndexed ? 1 : 0), isIndexed: isIndexed)
        }
    }

    func prefixSummary(branches: Int) -> PrefixSummary {
        index.summary(limit: branches) { pool.referenceCount($0) - 1 }
    }
}
