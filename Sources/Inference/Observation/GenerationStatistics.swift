/// What an answer cost, and when.
public struct GenerationStatistics: Sendable, Equatable {
    public var promptTokens = 0
    /// Prompt tokens whose keys and values were found in the cache.
    public var cachedTokens = 0
    public var generatedTokens = 0
    /// Times the request lost its pages to others and was computed again.
    public var preemptions = 0
    /// When the engine got it.
    public var arrival: ContinuousClock.Instant?
    /// When it was first given pages and rows of a step; nil where it never was.
    public var admission: ContinuousClock.Instant?
    /// When its first token was chosen, and the last so far.
    public var firstToken: ContinuousClock.Instant?
    public var lastToken: ContinuousClock.Instant?
    /// When it ended.
    public var end: ContinuousClock.Instant?

    public init() {}

    /// How long it waited for pages and rows of a step.
    public var queueTime: Duration? { between(arrival, admission) }
    /// From its arrival to its first token.
    public var timeToFirstToken: Duration? { between(arrival, firstToken) }
    /// From its arrival to its end.
    public var totalTime: Duration? { between(arrival, end) }
    /// The mean time between two tokens of the answer; nil where it has fewer than two.
    public var meanTokenInterval: Duration? {
        guard generatedTokens > 1, let whole = between(firstToken, lastToken) else { return nil }
        return whole / (generatedTokens - 1)
    }

    private func between(_ first: ContinuousClock.Instant?, _ second: ContinuousClock.Instant?) -> Duration? {
        guard let first, let second else { return nil }
        return second - first
    }
}
