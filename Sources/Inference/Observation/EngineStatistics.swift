internal import Synchronization

/// What an engine is doing and has done, at one moment. ``Engine/statistics`` reads it from any thread.
public struct EngineStatistics: Sendable, Equatable {
    // MARK: Now

    /// Requests that have pages, and those that wait for them.
    public var running = 0
    public var waiting = 0
    /// Pages of the cache that may be held, those that nobody holds, those that the prefix index knows, and those of these
    /// that no request uses: they leave when others need them.
    public var pages = 0
    public var freePages = 0
    public var indexedPages = 0
    public var cachedPages = 0
    /// Bytes of a page.
    public var pageBytes = 0
    /// The last step; nil before the first.
    public var latestStep: Step?

    /// A pass through the network.
    public struct Step: Sendable, Equatable {
        /// Requests that had rows in it, and their rows.
        public var sequences: Int
        public var rows: Int
        public var seconds: Double
    }

    // MARK: Since the engine was made

    public var submitted = 0
    /// Requests that ended by themselves, by their callers or deadlines, or with an error.
    public var finished = 0
    public var cancelled = 0
    public var failed = 0
    /// Texts turned into vectors, of those that finished.
    public var embeddings = 0
    /// Requests that were given pages and rows, and the seconds that all of them together waited for it.
    public var admitted = 0
    public var queueSeconds = 0.0
    /// Passes through the network, and the tokens that went through it.
    public var steps = 0
    public var rows = 0
    /// Tokens of prompts among them; one that was computed again after a preemption counts again.
    public var prefilledTokens = 0
    public var generatedTokens = 0
    /// Tokens of requests that were let in, and how many of them were found in the cache.
    public var queriedTokens = 0
    public var hitTokens = 0
    /// Times a running request gave up its pages.
    public var preemptions = 0
    /// Requests that began with another one's pages: parallel samples and forks.
    public var forks = 0
    /// Pages that left the prefix index for others, and pages copied because a fork wrote on.
    public var evictions = 0
    public var copiedPages = 0
    /// Pages that went to the swap memory and came back, and those that need not be moved since a copy was there.
    public var swappedOutPages = 0
    public var swappedInPages = 0
    public var sparedMoves = 0
    /// Pages written to the prefix store and read from it; files that were damaged, pages that could not be written.
    public var storedPages = 0
    public var loadedPages = 0
    public var damagedPages = 0
    public var failedStores = 0
    /// Whether another process writes the prefix store, so that this one only reads it.
    public var isStoreReadOnly = false
    /// Seconds spent in steps.
    public var seconds = 0.0

    public init() {}

    /// Pages in use by requests.
    public var usedPages: Int { pages - freePages - cachedPages }
    /// Tokens that a step computed, on average.
    public var meanRows: Double { steps == 0 ? 0 : Double(rows) / Double(steps) }
    /// The part of the requests' tokens that was found in the cache.
    public var hitRate: Double { queriedTokens == 0 ? 0 : Double(hitTokens) / Double(queriedTokens) }
}

/// The latest statistics, for readers on other threads. The engine's thread never waits for a reader: where one is
/// looking, the next step's figures are the next ones to be shown.
final class StatisticsBoard: Sendable {
    private let latest = Mutex(EngineStatistics())

    func post(_ statistics: EngineStatistics) { _ = latest.withLockIfAvailable { $0 = statistics } }

    /// Waits for a reader; before the engine sleeps, so that the last figures are shown.
    func postLast(_ statistics: EngineStatistics) { latest.withLock { $0 = statistics } }

    var statistics: EngineStatistics { latest.withLock { $0 } }
}
