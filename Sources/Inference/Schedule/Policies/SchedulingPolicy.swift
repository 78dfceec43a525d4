/// An order between sequences: who is let in first, whose prompts go on first, and, from the other end, who gives up its pages
/// where they run out. The scheduler does the rest. No policy changes an answer (laws 2 and 3).
protocol SchedulingPolicy {
    /// Whether one goes before another. Who came first goes first where the policy sees no difference: see ``areInOrder``.
    func precedes(_ a: TokenSequence, _ b: TokenSequence) -> Bool

    /// The place in the queue of who is let in next, of those that are not held back in this step; nil where there is none.
    ///
    /// - Parameter waiting: in order of arrival.
    mutating func next(_ waiting: [TokenSequence], _ cache: SequenceCache, step: Int) -> Int?

    /// Whether those that wait may ever take what others have.
    var isPreemptive: Bool { get }
    /// Whether one that waits may take the pages of one that runs.
    func mayPreempt(_ newcomer: TokenSequence, _ running: TokenSequence) -> Bool

    mutating func arrived(_ sequence: TokenSequence)
    /// Rows of a step were given to a sequence.
    func served(_ sequence: TokenSequence, rows: Int)
    mutating func left(_ sequence: TokenSequence)
}

extension SchedulingPolicy {
    var isPreemptive: Bool { false }
    func mayPreempt(_ newcomer: TokenSequence, _ running: TokenSequence) -> Bool { false }
    mutating func arrived(_ sequence: TokenSequence) {}
    func served(_ sequence: TokenSequence, rows: Int) {}
    mutating func left(_ sequence: TokenSequence) {}

    mutating func next(_ waiting: [TokenSequence], _ cache: SequenceCache, step: Int) -> Int? {
        var best: Int?
        for (place, sequence) in waiting.enumerated() where sequence.heldInStep != step {
            if best == nil || areInOrder(sequence, waiting[best!]) { best = place }
        }
        return best
    }

    /// The policy's order, ties by arrival.
    func areInOrder(_ a: TokenSequence, _ b: TokenSequence) -> Bool {
        if precedes(a, b) { return true }
        return !precedes(b, a) && a.arrival < b.arrival
    }
}

/// The scheduling policies by name.
public enum SchedulingOrder: String, Sendable, CaseIterable {
    /// First come, first served.
    case arrival
    /// Interactive requests before those of batches, which give up their pages for them; within a class by arrival.
    case priority
    /// The user that was served least goes first.
    case fair
    /// Whoever finds most of its tokens in the cache goes first.
    case prefix

    private static let policies: [(SchedulingOrder, @Sendable () -> any SchedulingPolicy)] = [
        (.arrival, { FirstCome() }),
        (.priority, { PriorityClasses() }),
        (.fair, { FairShare() }),
        (.prefix, { LongestPrefix() }),
    ]

    func policy() -> any SchedulingPolicy { Self.policies.first { $0.0 == self }!.1() }
}

/// How urgent a request is, where the engine schedules by ``SchedulingOrder/priority``.
public enum Priority: Int, Sendable, CaseIterable, Comparable {
    /// Somebody waits for the answer.
    case interactive = 0
    /// Nobody waits.
    case batch = 1

    /// The more urgent one is the lesser.
    public static func < (a: Priority, b: Priority) -> Bool { a.rawValue < b.rawValue }
}
