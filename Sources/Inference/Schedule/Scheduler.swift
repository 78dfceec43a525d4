internal import Tensors

/// What a step computes: runs of rows, each the next tokens of one sequence.
struct Plan {
    struct Run {
        let sequence: TokenSequence
        let count: Int
    }

    var runs: [Run] = []
    var rows: Int { runs.reduce(0) { $0 + $1.count } }
}

/// Decides which sequences get how much of a step's token budget, and finds their pages.
///
/// Running sequences come first, in order of arrival: an answer under way needs one row. What is left of the budget goes
/// to prompts, in chunks (Sarathi-Serve, section 4), and to those that wait. Where pages run out, the newest
/// running sequence gives its own up and waits again: by law 3 its answer does not change.
struct Scheduler {
    private(set) var waiting: [TokenSequence] = []
    private(set) var running: [TokenSequence] = []
    private var preempted = false
    private let tokenBudget: Int
    private let outputBudget: Int
    private let maximumRunning: Int

    init(tokenBudget: Int, outputBudget: Int, maximumRunning: Int) {
        self.tokenBudget = tokenBudget
        self.outputBudget = outputBudget
        self.maximumRunning = maximumRunning
    }

    var isIdle: Bool { waiting.isEmpty && running.isEmpty }

    mutating func add(_ sequence: TokenSequence) { waiting.append(sequence) }

    /// Takes a sequence out, wherever it is. The caller releases its pages.
    mutating func remove(id: Int) -> TokenSequence? {
        if let index = running.firstIndex(where: { $0.id == id }) { return running.remove(at: index) }
        if let index = waiting.firstIndex(where: { $0.id == id }) { return waiting.remove(at: index) }
        return nil
    }

    /// Fills in the next step. Every run in it has pages for its rows.
    mutating func plan(_ plan: inout Plan, _ cache: inout SequenceCache) {
        plan.runs.removeAll(keepingCapacity: true)
        var rows = tokenBudget
        var outputs = outputBudget
        var index = 0
        preempted = false
        // An answer's single row goes before any chunk of a prompt.
        while index < running.count {
            let sequence = running[index]
            if sequence.gap == 1 { schedule(sequence, &plan, &rows, &outputs, &cache) }
            index += 1
        }
        index = 0
        while index < running.count {
            let sequence = running[index]
            if sequence.gap > 1 { schedule(sequence, &plan, &rows, &outputs, &cache) }
            index += 1
        }
        // Who has just lost its pages would only take them back to lose them again.
        guard !preempted else { return }
        while rows > 0, outputs > 0, running.count < maximumRunning, let sequence = waiting.first {
            if sequence.pages.count == 0 { cache.adoptPrefix(sequence) }
            // A newcomer does not take pages from those that run.
            let count = runLength(sequence, rows, outputs)
            guard cache.reserve(sequence, count: count) else {
                cache.release(sequence)
                break
            }
            cache.countAdmission(sequence)
            waiting.removeFirst()
            running.append(sequence)
            add(sequence, count, &plan, &rows, &outputs)
        }
    }

    /// Moves a finished sequence out of the running ones.
    mutating func finish(_ sequence: TokenSequence) { running.removeAll { $0 === sequence } }

    private mutating func schedule(
        _ sequence: TokenSequence, _ plan: inout Plan, _ rows: inout Int, _ outputs: inout Int,
        _ cache: inout SequenceCache
    ) {
        let count = runLength(sequence, rows, outputs)
        guard count > 0 else { return }
        while !cache.reserve(sequence, count: count) {
            guard let victim = running.last, running.count > 1 || victim !== sequence else {
                preconditionFailure("a sequence alone always has pages: submission checked it")
            }
            running.removeLast()
            plan.runs.removeAll { run in
                guard run.sequence === victim else { return false }
                rows += run.count
                outputs += outputCount(victim, run.count)
                return true
            }
            cache.release(victim)
            victim.statistics.preemptions += 1
            preempted = true
            waiting.insert(victim, at: 0)
            if victim === sequence { return }
        }
        add(sequence, count, &plan, &rows, &outputs)
    }

    private func add(
        _ sequence: TokenSequence, _ count: Int, _ plan: inout Plan, _ rows: inout Int, _ outputs: inout Int
    ) {
        plan.runs.append(Plan.Run(sequence: sequence, count: count))
        rows -= count
        outputs -= outputCount(sequence, count)
    }

    /// As much of the gap as the budgets allow.
    private func runLength(_ sequence: TokenSequence, _ rows: Int, _ outputs: Int) -> Int {
        guard rows > 0, outputs > 0 else { return 0 }
        let count = min(sequence.gap, rows)
        return sequence.request.promptLogprobs == nil ? count : min(count, outputs)
    }

    private func outputCount(_ sequence: TokenSequence, _ count: Int) -> Int {
        (sequence.computed..<sequence.computed + count).count { sequence.wantsScores(at: $0) }
    }
}
