internal import Tensors

/// What a step computes: runs of rows, each the next tokens of one sequence.
struct Plan {
    struct Run {
        let sequence: TokenSequence
        let count: Int
        /// The first row's position.
        let first: Int

        init(_ sequence: TokenSequence, _ count: Int) {
            self.sequence = sequence
            self.count = count
            first = sequence.computed
        }
    }

    var runs: [Run] = []
    var rows: Int { runs.reduce(0) { $0 + $1.count } }
    /// Slots that the rows read, each row's own counted.
    var slots: Int { runs.reduce(0) { $0 + $1.count * $1.first + $1.count * ($1.count + 1) / 2 } }
}

/// Decides which sequences get how much of a step's token budget, and finds their pages.
///
/// Answers under way come first: each needs one row. What is left of the budget goes to prompts, in chunks (Sarathi-Serve,
/// section 4), and to those that wait, in the order of the policy. Where pages run out, the last running sequence of
/// that order gives its own up and waits again: by law 3 its answer does not change.
struct Scheduler {
    /// In order of arrival.
    private(set) var waiting: [TokenSequence] = []
    /// In the policy's order.
    private(set) var running: [TokenSequence] = []
    private(set) var preemptions = 0
    private var policy: any SchedulingPolicy
    private var arrivals = 0
    private var step = 0
    private var preempted = false
    private let outputBudget: Int
    private let maximumRunning: Int
    /// How many of the queue may be found to wait for a page under way before a step looks no further.
    private static let maximumHeld = 64

    init(order: SchedulingOrder, outputBudget: Int, maximumRunning: Int) {
        policy = order.policy()
        self.outputBudget = outputBudget
        self.maximumRunning = maximumRunning
    }

    var isIdle: Bool { waiting.isEmpty && running.isEmpty }
    /// Whether a sequence more may run.
    var hasRoom: Bool { running.count < maximumRunning }

    // MARK: Coming and going

    /// Puts a new sequence at the end of the queue.
    mutating func add(_ sequence: TokenSequence) {
        note(sequence)
        waiting.append(sequence)
    }

    /// Lets a fork run at once, with the pages it has.
    mutating func addRunning(_ sequence: TokenSequence) {
        note(sequence)
        running.append(sequence)
    }

    private mutating func note(_ sequence: TokenSequence) {
        arrivals += 1
        sequence.arrival = arrivals
        policy.arrived(sequence)
    }

    /// Everyone, also parallel samples whose prompt another one computes. O(sequences).
    var all: [TokenSequence] {
        let present = running + waiting
        return present + present.flatMap(\.followers)
    }

    func sequence(id: Int) -> TokenSequence? {
        running.first { $0.id == id } ?? waiting.first { $0.id == id } ?? all.first { $0.id == id }
    }

    /// Takes a sequence out, wherever it is. The caller releases its pages.
    mutating func remove(_ sequence: TokenSequence) {
        if let place = running.firstIndex(where: { $0 === sequence }) {
            running.remove(at: place)
        } else if let place = waiting.firstIndex(where: { $0 === sequence }) {
            waiting.remove(at: place)
        } else {
            for leader in running { leader.followers.removeAll { $0 === sequence } }
            for leader in waiting { leader.followers.removeAll { $0 === sequence } }
        }
        policy.left(sequence)
    }

    /// The number of sequences in the queue, with those who wait for another's prompt. O(sequences).
    var waitingCount: Int {
        let ofRunning = running.reduce(0) { $0 + $1.followers.count }
        return waiting.reduce(waiting.count + ofRunning) { $0 + $1.followers.count }
    }

    // MARK: Planning

    /// Fills in the next step. Every run in it has pages for its rows.
    ///
    /// - Parameter budget: the most rows of the step.
    mutating func plan(_ plan: inout Plan, _ cache: inout SequenceCache, budget: Int) {
        plan.runs.removeAll(keepingCapacity: true)
        var left = Budget(rows: budget, outputs: outputBudget)
        step += 1
        preempted = false
        sortRunning()
        schedule(&plan, &left, &cache) { $0.gap == 1 }
        schedule(&plan, &left, &cache) { $0.gap > 1 }
        // Who has just lost its pages would only take them back to lose them again.
        if !preempted { admit(&plan, &left, &cache) }
        for run in plan.runs { policy.served(run.sequence, rows: run.count) }
    }

    /// Rows and scores that a step still has.
    private struct Budget {
        var rows: Int
        var outputs: Int

        /// As much of a sequence's gap as is left.
        func share(of sequence: TokenSequence) -> Int {
            guard rows > 0, outputs > 0 else { return 0 }
            let count = min(sequence.gap, rows)
            return sequence.request.promptLogprobs == nil ? count : min(count, outputs)
        }

        mutating func take(_ count: Int, _ sequence: TokenSequence) {
            rows -= count
            outputs -= Self.outputs(sequence, count)
        }

        mutating func giveBack(_ count: Int, _ sequence: TokenSequence) {
            rows += count
            outputs += Self.outputs(sequence, count)
        }

        private static func outputs(_ sequence: TokenSequence, _ count: Int) -> Int {
            guard sequence.request.promptLogprobs != nil else { return count == sequence.gap ? 1 : 0 }
            return (sequence.computed..<sequence.computed + count).count { sequence.wantsScores(at: $0) }
        }
    }

    /// Insertion: the order hardly changes from step to step.
    private mutating func sortRunning() {
        for end in running.indices.dropFirst() {
            var place = end
            while place > 0, policy.areInOrder(running[place], running[place - 1]) {
                running.swapAt(place, place - 1)
                place -= 1
            }
        }
    }

    /// Plans the running sequences of a kind, in order.
    private mutating func schedule(
        _ plan: inout Plan, _ left: inout Budget, _ cache: inout SequenceCache, _ isMeant: (TokenSequence) -> Bool
    ) {
        var index = 0
        while index < running.count {
            let sequence = running[index]
            index += 1
            let count = isMeant(sequence) ? left.share(of: sequence) : 0
            guard count > 0 else { continue }
            while !cache.reserve(sequence, count: count) {
                guard let victim = running.last, running.count > 1 || victim !== sequence else {
                    preconditionFailure("a sequence alone always has pages: submission checked it")
                }
                preempt(victim, &plan, &left, &cache)
                if victim === sequence { return }
            }
            plan.runs.append(Plan.Run(sequence, count))
            left.take(count, sequence)
        }
    }

    /// Preempts until the cache holds no more pages than it may.
    mutating func shrink(_ cache: inout SequenceCache) {
        var (plan, left) = (Plan(), Budget(rows: 0, outputs: 0))
        sortRunning()
        while !cache.shrink(), let last = running.last { preempt(last, &plan, &left, &cache) }
    }

    /// Takes the pages of a running sequence, which waits again.
    private mutating func preempt(
        _ victim: TokenSequence, _ plan: inout Plan, _ left: inout Budget, _ cache: inout SequenceCache
    ) {
        running.removeAll { $0 === victim }
        if let place = plan.runs.firstIndex(where: { $0.sequence === victim }) {
            left.giveBack(plan.runs[place].count, victim)
            plan.runs.remove(at: place)
        }
        cache.release(victim, hint: .needed)
        victim.statistics.preemptions += 1
        preemptions += 1
        preempted = true
        waiting.insert(victim, at: waiting.firstIndex { $0.arrival > victim.arrival } ?? waiting.count)
    }

    /// Lets sequences of the queue in while there are rows, places and pages.
    private mutating func admit(_ plan: inout Plan, _ left: inout Budget, _ cache: inout SequenceCache) {
        var held = 0
        while left.rows > 0, left.outputs > 0, held < Self.maximumHeld,
            hasRoom || policy.isPreemptive, let place = policy.next(waiting, cache, step: step)
        {
            let sequence = waiting[place]
            if !cache.adoptPrefix(sequence) {
                sequence.heldInStep = step
                held += 1
                continue
            }
            let count = left.share(of: sequence)
            guard makeRoom(for: sequence, count, &plan, &left, &cache) else { return cache.release(sequence) }
            cache.admitted(sequence)
            waiting.removeAll { $0 === sequence }
            running.append(sequence)
            sortRunning()
            plan.runs.append(Plan.Run(sequence, count))
            left.take(count, sequence)
        }
    }

    /// A place and pages for a newcomer, who takes them from those that run only where the policy says so.
    private mutating func makeRoom(
        for newcomer: TokenSequence, _ count: Int, _ plan: inout Plan, _ left: inout Budget,
        _ cache: inout SequenceCache
    ) -> Bool {
        while !hasRoom || !cache.reserve(newcomer, count: count) {
            guard let victim = running.last, policy.mayPreempt(newcomer, victim) else { return false }
            preempt(victim, &plan, &left, &cache)
        }
        return true
    }
}
