/// By arrival.
struct FirstCome: SchedulingPolicy {
    func precedes(_ a: TokenSequence, _ b: TokenSequence) -> Bool { false }

    func next(_ waiting: [TokenSequence], _ cache: SequenceCache, step: Int) -> Int? {
        waiting.firstIndex { $0.heldInStep != step }
    }
}
