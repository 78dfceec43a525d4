/// Whoever finds most of its tokens in the cache is let in first (SGLang, Zheng and others 2024, section 3): those that share
/// a prefix run together, before it leaves. Looks at the oldest of the queue alone, and nobody is overtaken without end.
struct LongestPrefix: SchedulingPolicy {
    /// How many of the queue are compared.
    static let window = 128
    /// How often one may be overtaken.
    static let patience = 256

    func precedes(_ a: TokenSequence, _ b: TokenSequence) -> Bool { false }

    mutating func next(_ waiting: [TokenSequence], _ cache: SequenceCache, step: Int) -> Int? {
        var best: (place: Int, known: Int)?
        for (place, sequence) in waiting.prefix(Self.window).enumerated() where sequence.heldInStep != step {
            if sequence.overtaken >= Self.patience {
                best = (place, 0)
                break
            }
            let known = cache.knownTokens(sequence)
            if best == nil || known > best!.known { best = (place, known) }
        }
        guard let best else { return waiting.firstIndex { $0.heldInStep != step } }
        for sequence in waiting.prefix(best.place) { sequence.overtaken += 1 }
        return best.place
    }
}
