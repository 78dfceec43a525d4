/// What a fork changes against the request that it leaves; nil keeps what was.
public struct Fork: Sendable {
    /// How many tokens of the answer the fork keeps; nil for all that there are.
    public var at: Int?
    public var sampleIndex: UInt32?
    public var seed: UInt64?
    public var sampling: SamplingParameters?
    /// The most tokens of its whole answer, those that it keeps included.
    public var maximumTokens: Int?
    /// Decides when its answer is complete; must have seen the tokens that it keeps. A condition has one owner, so
    /// that of the forked request is not taken over.
    public var stop: (any StopCondition)?

    public init(at: Int? = nil, sampleIndex: UInt32? = nil) {
        self.at = at
        self.sampleIndex = sampleIndex
    }

    /// The request of the fork, whose answer begins with tokens that were generated already.
    func request(_ former: GenerationRequest) -> GenerationRequest {
        var request = former
        if let sampleIndex { request.sampleIndex = sampleIndex }
        if let seed { request.seed = seed }
        if let sampling { request.sampling = sampling }
        if let maximumTokens { request.maximumTokens = maximumTokens }
        request.promptLogprobs = nil
        request.stop = stop
        return request
    }
}

/// Sequences that begin with another's pages.
extension EngineLoop {
    /// Continues a request in another way from some token of its answer on. Its pages are shared; the one in which the fork
    /// writes on is copied when somebody writes. The kept tokens are not reported again.
    ///
    /// - Parameters:
    ///   - original: a request that has not ended.
    ///   - id: the fork's id, that of no other request.
    /// - Throws: ``EngineError/cannotFork(request:at:generated:)``, and what a submission throws.
    public func fork(
        _ original: Int, _ fork: Fork, id: Int, endOfGeneration: [Int32] = [],
        send: @escaping (Result<GenerationEvent, EngineError>) -> Void
    ) throws(EngineError) {
        guard let source = scheduler.sequence(id: original), source.pooled == nil else {
            throw .cannotFork(request: original, at: fork.at, generated: nil)
        }
        let kept = fork.at ?? source.generatedCount
        guard kept >= 0, kept <= source.generatedCount else {
            throw .cannotFork(request: original, at: fork.at, generated: source.generatedCount)
        }
        let sequence = try model.admit(
            fork.request(source.request), id: id, endOfGeneration, configuration, variant: source.rotationVariant,
            send: send)
        sequence.statistics.arrival = now()
        let length = source.promptCount + kept
        guard length < sequence.limit || (kept == 0 && length == sequence.limit) else {
            throw .cannotFork(request: original, at: kept, generated: source.generatedCount)
        }
        if sequence.sampler.parameters == source.sampler.parameters {
            sequence.formerStates = Array(source.formerStates.prefix(kept))
            sequence.samplerState = source.state(after: kept)
        }
        sequence.tokens += source.tokens[source.promptCount..<length]
        sequence.statistics.generatedTokens = kept
        counts.submitted += 1
        begin(sequence, from: source)
        if let deadline = sequence.request.deadline { nextDeadline = min(nextDeadline ?? deadline, deadline) }
    }

    /// Starts a sequence with another's pages where it may run at once; else it waits and finds what was indexed.
    private func begin(_ sequence: TokenSequence, from source: TokenSequence) {
        let computed = min(source.computed, sequence.tokens.count - 1)
        guard scheduler.hasRoom, computed > 0, cache.pages(for: sequence.limit) <= cache.pageCount else {
            return scheduler.add(sequence)
        }
        counts.forks += 1
        cache.share(source, with: sequence, computed: computed)
        scheduler.addRunning(sequence)
    }

    /// Parallel samples whose prompt is now computed take the leader's pages and choose their first tokens from the same scores.
    /// Those for whom there is no room wait, one of them for all.
    func startFollowers(of leader: TokenSequence) -> [TokenSequence] {
        let followers = leader.followers
        leader.followers = []
        var started: [TokenSequence] = []
        for follower in followers {
            guard scheduler.hasRoom, leader.generatedCount == 0 else { break }
            counts.forks += 1
            cache.share(leader, with: follower, computed: leader.computed)
            follower.statistics.cachedTokens = leader.computed
            scheduler.addRunning(follower)
            started.append(follower)
        }
        enter(Array(followers.dropFirst(started.count)))
        return started
    }
}
