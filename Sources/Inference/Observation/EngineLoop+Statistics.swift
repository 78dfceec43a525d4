internal import Models
internal import Tensors

extension EngineLoop {
    /// A request was given pages and rows of a step for the first time.
    func admitted(_ sequence: TokenSequence, _ time: ContinuousClock.Instant) {
        sequence.statistics.admission = time
        counts.admitted += 1
        counts.queueSeconds += sequence.statistics.queueTime?.seconds ?? 0
    }

    /// What the loop is doing and has done. O(sequences).
    public var statistics: EngineStatistics {
        var statistics = counts
        statistics.running = scheduler.running.count
        statistics.waiting = scheduler.waitingCount
        statistics.pages = cache.pageCount
        statistics.freePages = cache.freePages
        statistics.indexedPages = cache.indexedPages
        statistics.cachedPages = cache.cachedPages
        statistics.pageBytes = storage.pageBytes
        statistics.preemptions = scheduler.preemptions
        statistics.queriedTokens = cache.counts.queriedTokens
        statistics.hitTokens = cache.counts.hitTokens
        statistics.evictions = cache.counts.evictions
        statistics.copiedPages = cache.counts.copies
        if let tiers = cache.tiers { tiers.fill(&statistics) }
        return statistics
    }

    /// Everything that lives in the engine now: its requests, who holds which page, the tree of prefixes. O(requests + pages).
    ///
    /// - Parameter branches: how many branches of the tree to tell of at most; the largest come first.
    public func snapshot(branches: Int = 64) -> EngineSnapshot {
        let running = scheduler.running
        var requests = running.map { LiveRequest($0, $0.gap > 1 || $0.generatedCount == 0 ? .prompt : .answer) }
        requests += running.flatMap(\.followers).map { LiveRequest($0, .sample) }
        requests += scheduler.waiting.map { LiveRequest($0, .waiting) }
        requests += scheduler.waiting.flatMap(\.followers).map { LiveRequest($0, .sample) }
        return EngineSnapshot(
            statistics: statistics, pageSize: cache.pageSize, requests: requests, pages: cache.pageUses,
            prefixes: cache.prefixSummary(branches: branches))
    }
}

extension Engine {
    /// What lives in the engine: see ``EngineLoop/snapshot(branches:)``. Taken between two steps, so it waits for the one that is under way;
    /// costs nothing where nobody asks.
    public func snapshot(branches: Int = 64) async -> EngineSnapshot {
        await withCheckedContinuation { continuation in
            mailbox.post(.change { continuation.resume(returning: $0.snapshot(branches: branches)) })
        }
    }
}
