/// By class, then by arrival. Where room is short a request gives its own up for one of a more urgent class.
struct PriorityClasses: SchedulingPolicy {
    func precedes(_ a: TokenSequence, _ b: TokenSequence) -> Bool { a.priority < b.priority }

    var isPreemptive: Bool { true }

    func mayPreempt(_ newcomer: TokenSequence, _ running: TokenSequence) -> Bool {
        newcomer.priority < running.priority
    }
}
