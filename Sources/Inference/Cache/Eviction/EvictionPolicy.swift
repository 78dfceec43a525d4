/// Whether what a page holds will be asked for again: a caller's guess. It may be wrong; answers never depend on it.
public enum ReuseHint: String, Sendable, CaseIterable {
    case needed, notNeeded
}

/// Which of the pages that nobody uses leaves first. A policy sees page numbers alone; the prefix index says which of them
/// may leave: those without users and without pages that hang on them.
///
/// Nothing here changes an answer (law 3), so a policy may draw lots.
package protocol EvictionPolicy {
    /// - Parameter pages: how many pages the cache has: their numbers are 0..<pages.
    init(pages: Int)

    /// A page's content was used: found, filled or let go of.
    ///
    /// - Parameters:
    ///   - cost: what computing its content again takes, in units of one page at the beginning of a sequence.
    ///   - hint: what its last user said about its future.
    mutating func use(_ page: Int32, cost: Double, hint: ReuseHint?)

    /// The page may leave from now on, until it is withdrawn.
    mutating func offer(_ page: Int32)

    mutating func withdraw(_ page: Int32)

    /// The page to leave next, of those on offer; nil where there is none.
    mutating func victim() -> Int32?
}

/// The eviction policies by name.
public enum EvictionOrder: String, Sendable, CaseIterable {
    /// Last use and cost to rebuild: ``GreedyDual``.
    case cost
    /// Last use alone: ``LeastRecentlyUsed``.
    case recency
    /// Phases of use, and callers' hints: ``Marking``.
    case marking

    private static let policies: [(EvictionOrder, @Sendable (Int) -> any EvictionPolicy)] = [
        (.cost, { GreedyDual(pages: $0) }),
        (.recency, { LeastRecentlyUsed(pages: $0) }),
        (.marking, { Marking(pages: $0) }),
    ]

    package func policy(pages: Int) -> any EvictionPolicy { Self.policies.first { $0.0 == self }!.1(pages) }
}
