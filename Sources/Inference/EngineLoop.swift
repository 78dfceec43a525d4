public import Models
internal import Tensors

/// The engine without its thread: one call of ``step()`` is one pass through the network.
///
/// Not thread-safe: it has one owner, an ``Engine``'s thread or a test.
public final class EngineLoop {
    public let model: any Model
    /// What it was made with; the cache's bytes are what was planned where none were given.
    public let configuration: EngineConfiguration
    let scratch: Scratch
    let storage: any PagedCache
    private let batch: Batch
    var cache: SequenceCache
    var scheduler: Scheduler
    private var pace: Pace
    private var plan = Plan()
    let method: any GenerationMethod = Autoregression()
    private let choices: Choices
    var counts = EngineStatistics()
    /// The earliest deadline of all requests; nil where none has one.
    var nextDeadline: ContinuousClock.Instant?
    /// What time it is, for deadlines and the cost of steps.
    public var now: () -> ContinuousClock.Instant = { .now } {
        didSet { cache.tiers?.now = now }
    }

    /// Allocates everything the engine will use.
    ///
    /// - Throws: ``EngineError`` where the configuration is impossible, the cache's budget holds no page, or the system
    ///   refuses its memory.
    public init(model: any Model, configuration: EngineConfiguration = EngineConfiguration()) throws(EngineError) {
        try configuration.validate()
        let configuration = try configuration.planned(model.shape)
        let pageCount = configuration.pageCount(model.shape)
        let pageSize = configuration.pageSize
        guard
            let storage = configuration.layout.allocate(
                model.shape.cache, pageSize: pageSize, pageCount: pageCount)
        else { throw .cacheTooSmall(neededPages: pageCount, pages: 0, pageSize: pageSize) }
        self.model = model
        self.configuration = configuration
        self.storage = storage
        let outputs = configuration.maximumOutputs
        let threads = configuration.threads ?? EngineConfiguration.availableCores
        scratch = Scratch(
            model: model, kernels: configuration.kernels ?? KernelTable.available[0], threads: threads,
            maximumRows: configuration.tokenBudget, maximumOutputs: outputs)
        choices = Choices(
            method, vocabulary: model.shape.vocabulary, threads: threads,
            capacity: outputs + configuration.maximumRunning)
        batch = Batch(capacity: configuration.tokenBudget)
        cache = SequenceCache(
            storage: storage, sharesPrefixes: configuration.sharesPrefixes, eviction: configuration.eviction,
            parameters: model.shape.parameters, attentionShare: model.shape.attentionShare)
        scheduler = Scheduler(
            order: configuration.scheduling, outputBudget: outputs, maximumRunning: configuration.maximumRunning)
        pace = Pace(target: configuration.targetITL)
        cache.tiers = try makeTiers(batch)
    }

    public var isIdle: Bool { scheduler.isIdle }

    /// One pass: plan, forward, choose, commit. Returns false where there was nothing to do.
    @discardableResult
    public func step() -> Bool {
        endOverdue()
        let budget = pace.budget(configuration.tokenBudget, scheduler.running, cache.cost)
        scheduler.plan(&plan, &cache, budget: budget)
        guard !plan.runs.isEmpty else { return false }
        let start = now()
        fill(start)
        let scores = model.forward(batch, storage, scratch)
        note(start, commit(scores))
        assert(violations().isEmpty, "\(violations())")
        return true
    }

    /// Broken laws of the cache; empty.
    public func violations() -> [Violation] { cache.violations(scheduler.running + scheduler.waiting) }

    /// Sequences that begin with the same pages stand next to each other: attention reads these once for all of them.
    private func fill(_ start: ContinuousClock.Instant) {
        batch.removeAll()
        plan.runs.sort { PageList.precedes($0.sequence.pages, $1.sequence.pages) }
        for run in plan.runs {
            let sequence = run.sequence
            if sequence.statistics.admission == nil { admitted(sequence, start) }
            for position in sequence.computed..<sequence.computed + run.count {
                batch.rows.append(
                    token: sequence.tokens[position], position: position, slot: position, visible: position + 1,
                    variant: sequence.rotationVariant, pages: sequence.pages)
                if sequence.wantsScores(at: position) {
                    batch.wantScores()
                } else if sequence.wantsState(at: position) {
                    batch.wantState()
                }
            }
        }
    }

    /// Returns when the tokens were chosen: the end of the step, but for telling callers.
    private func commit(_ scores: Rows) -> ContinuousClock.Instant {
        var (output, state) = (0, 0)
        for run in plan.runs {
            let sequence = run.sequence
            let first = sequence.computed
            sequence.computed += run.count
            counts.prefilledTokens += max(0, min(sequence.computed, sequence.promptCount) - first)
            cache.indexFilledPages(sequence)
            var row: UnsafeBufferPointer<Float>?
            for position in first..<sequence.computed {
                if sequence.wantsScores(at: position) {
                    let current = UnsafeBufferPointer(scores.elements(of: output))
                    output += 1
                    if sequence.wantsPromptScores(at: position) { choices.add(sequence, current, position: position) }
                    row = current
                } else if sequence.wantsState(at: position) {
                    sequence.pooled!.add(scratch.state(state, of: batch), at: position)
                    state += 1
                }
            }
            if sequence.gap == 0 { catchUp(sequence, row) }
        }
        choices.make(scratch.ops, vocabulary: model.shape.vocabulary)
        let time = now()
        for index in 0..<choices.count { take(choices[index], time) }
        choices.removeAll()
        return time
    }

    /// The sequence has caught up with its tokens: the last row's scores choose the next one, also for samples of the
    /// same prompt that waited for it.
    private func catchUp(_ sequence: TokenSequence, _ scores: UnsafeBufferPointer<Float>?) {
        func choose(_ sequence: TokenSequence) { choices.add(sequence, sequence.generatedLimit > 0 ? scores : nil) }
        if !sequence.followers.isEmpty {
            for follower in startFollowers(of: sequence) { choose(follower) }
        }
        choose(sequence)
    }

    private func take(_ choice: Choices.Choice, _ time: ContinuousClock.Instant) {
        let sequence = choice.sequence
        if let token = choice.promptToken { return notePrompt(sequence, token) }
        sendPrompt(sequence)
        switch choice.token {
        case nil: end(sequence, .length, time)
        case .failure(let error): end(sequence, .failure(.sampling(error)))
        case .success(let chosen):
            let resolution = method.resolve(chosen, sequence)
            if let token = resolution.append {
                sequence.append(token)
                if sequence.statistics.firstToken == nil { sequence.statistics.firstToken = time }
                sequence.statistics.lastToken = time
                counts.generatedTokens += 1
                sequence.send(.success(.token(token)))
            }
            if let reason = resolution.finished { end(sequence, reason, time) }
        }
    }

    private func note(_ start: ContinuousClock.Instant, _ end: ContinuousClock.Instant) {
        let seconds = (end - start).seconds
        let (rows, slots) = (plan.rows, plan.slots)
        pace.note(estimated: cache.cost.seconds(rows: rows, slots: slots), taken: seconds)
        cache.cost.note(rows: rows, slots: slots, seconds: seconds)
        counts.seconds += seconds
        counts.steps += 1
        counts.rows += rows
        counts.latestStep = EngineStatistics.Step(sequences: plan.runs.count, rows: rows, seconds: seconds)
    }
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
