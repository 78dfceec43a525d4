public import Models
internal import Tensors

/// The engine without its thread: one call of ``step()`` is one pass through the network.
///
/// Not thread-safe: it has one owner, an ``Engine``'s thread or a test.
public final class EngineLoop {
    public let model: any Model
    public let configuration: EngineConfiguration
    private let storage: CacheStorage
    private let scratch: Scratch
    private let samplerScratch: SamplerScratch
    private let batch: Batch
    private var cache: SequenceCache
    private var scheduler: Scheduler
    private var plan = Plan()
    private let method: any GenerationMethod = Autoregression()
    public private(set) var totals = EngineTotals()

    /// Allocates everything the engine will use.
    ///
    /// - Throws: ``EngineError`` where the configuration is impossible, the cache's budget holds no page, or the system
    ///   refuses its memory.
    public init(model: any Model, configuration: EngineConfiguration = EngineConfiguration()) throws(EngineError) {
        self.model = model
        self.configuration = configuration
        try configuration.validate()
        let pageCount = try configuration.pageCount(model.shape)
        let pageSize = configuration.pageSize
        guard
            let storage = CacheStorage(
                layers: model.shape.cache, pageSize: pageSize, pageCount: pageCount, type: configuration.cacheType)
        else { throw .cacheTooSmall(neededPages: pageCount, pages: 0, pageSize: pageSize) }
        self.storage = storage
        let outputs = max(configuration.maximumRunning, 64)
        scratch = Scratch(
            model: model, kernels: configuration.kernels ?? KernelTable.available[0],
            threads: configuration.threads ?? EngineConfiguration.availableCores,
            maximumRows: configuration.tokenBudget, maximumOutputs: outputs)
        samplerScratch = SamplerScratch(vocabularySize: model.shape.vocabulary)
        batch = Batch(capacity: configuration.tokenBudget)
        cache = SequenceCache(pageCount: pageCount, pageSize: pageSize, sharesPrefixes: configuration.sharesPrefixes)
        scheduler = Scheduler(
            tokenBudget: configuration.tokenBudget, outputBudget: outputs,
            maximumRunning: configuration.maximumRunning)
    }

    public var isIdle: Bool { scheduler.isIdle }

    func add(_ sequence: TokenSequence) { scheduler.add(sequence) }

    /// Ends a request early; its pages are free at once.
    public func cancel(id: Int) {
        guard let sequence = scheduler.remove(id: id) else { return }
        finish(sequence, .success(.finished(.cancelled, sequence.statistics)))
    }

    /// Ends every request with an error.
    func endAll(_ error: EngineError) {
        for sequence in scheduler.running + scheduler.waiting {
            _ = scheduler.remove(id: sequence.id)
            finish(sequence, .failure(error))
        }
    }

    /// One pass: plan, forward, choose, commit. Returns false where there was nothing to do.
    @discardableResult
    public func step() -> Bool {
        scheduler.plan(&plan, &cache)
        guard !plan.runs.isEmpty else { return false }
        fill()
        let scores = model.forward(batch, storage, scratch)
        commit(scores)
        totals.steps += 1
        totals.rows += plan.rows
        assert(violations().isEmpty, "\(violations())")
        return true
    }

    /// Broken laws of the cache; empty.
    public func violations() -> [Violation] { cache.violations(scheduler.running + scheduler.waiting) }

    private func fill() {
        batch.removeAll()
        for run in plan.runs {
            let sequence = run.sequence
            for position in sequence.computed..<sequence.computed + run.count {
                batch.rows.append(
                    token: sequence.tokens[position], position: position, slot: position, visible: position + 1,
                    variant: sequence.rotationVariant, pages: sequence.pages)
                if sequence.wantsScores(at: position) { batch.wantScores() }
            }
        }
    }

    private func commit(_ scores: Rows) {
        var output = 0
        for run in plan.runs {
            let sequence = run.sequence
            let first = sequence.computed
            sequence.computed += run.count
            cache.indexFilledPages(sequence)
            var row: UnsafeBufferPointer<Float>?
            for position in first..<sequence.computed where sequence.wantsScores(at: position) {
                let current = UnsafeBufferPointer(scores.elements(of: output))
                output += 1
                if sequence.wantsPromptScores(at: position) { notePrompt(sequence, position, current) }
                row = current
            }
            if sequence.gap == 0 { advance(sequence, row) }
        }
    }

    /// The sequence has caught up with its tokens: the last row's scores choose the next one.
    private func advance(_ sequence: TokenSequence, _ scores: UnsafeBufferPointer<Float>?) {
        if sequence.generatedCount == 0, sequence.request.promptLogprobs != nil {
            if sequence.promptTokens.isEmpty {
                sequence.promptTokens = [PromptToken(id: sequence.tokens[0], logprob: nil, topLogprobs: [])]
            }
            sequence.send(.success(.prompt(sequence.promptTokens)))
        }
        guard let scores, sequence.generatedLimit > 0 else {
            return end(sequence, .success(.finished(.length, sequence.statistics)))
        }
        do throws(SamplingError) {
            let resolution = try method.resolve(scores, sequence, samplerScratch)
            if let token = resolution.append {
                sequence.tokens.append(token.id)
                sequence.samplerState = token.state
                sequence.statistics.generatedTokens += 1
                totals.generatedTokens += 1
                sequence.send(.success(.token(token)))
            }
            if let reason = resolution.finished { end(sequence, .success(.finished(reason, sequence.statistics))) }
        } catch {
            end(sequence, .failure(.sampling(error)))
        }
    }

    private func notePrompt(_ sequence: TokenSequence, _ position: Int, _ scores: UnsafeBufferPointer<Float>) {
        if sequence.promptTokens.isEmpty {
            sequence.promptTokens.append(PromptToken(id: sequence.tokens[0], logprob: nil, topLogprobs: []))
        }
        let id = sequence.tokens[position + 1]
        let (chosen, top) = samplerScratch.modelLogprobs(
            scores, of: id, top: sequence.request.promptLogprobs ?? 0)
        sequence.promptTokens.append(PromptToken(id: id, logprob: chosen, topLogprobs: top))
    }

    private func end(_ sequence: TokenSequence, _ outcome: Result<GenerationEvent, EngineError>) {
        scheduler.finish(sequence)
        finish(sequence, outcome)
    }

    private func finish(_ sequence: TokenSequence, _ outcome: Result<GenerationEvent, EngineError>) {
        cache.release(sequence)
        sequence.send(outcome)
    }

    /// Figures of the cache at this moment.
    public var cacheUse: CacheUse {
        CacheUse(
            pages: cache.pageCount, freePages: cache.freePages, indexedPages: cache.indexedPages,
            queriedTokens: cache.queriedTokens, hitTokens: cache.hitTokens)
    }
}

/// What an engine has done since it was made.
public struct EngineTotals: Sendable, Equatable {
    public var steps = 0
    /// Tokens that went through the network.
    public var rows = 0
    public var generatedTokens = 0
}

/// Pages of the cache: all, free, kept by the prefix index; and how often the index helped.
public struct CacheUse: Sendable, Equatable {
    public var pages: Int
    public var freePages: Int
    public var indexedPages: Int
    public var queriedTokens: Int
    public var hitTokens: Int
}
