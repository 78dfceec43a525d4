internal import Models

/// How requests enter and leave.
extension EngineLoop {
    /// Takes a request in, alone or as the first of parallel samples.
    func add(_ sequence: TokenSequence, followers: [TokenSequence] = []) {
        let members = [sequence] + followers
        counts.submitted += members.count
        for member in members where member.statistics.arrival == nil { member.statistics.arrival = now() }
        let fitting = members.filter { member in
            guard let error = misfit(member) else { return true }
            finish(member, .failure(error))
            return false
        }
        for member in fitting {
            if let deadline = member.request.deadline { nextDeadline = min(nextDeadline ?? deadline, deadline) }
        }
        enter(fitting)
    }

    // MARK: For owners that choose what enters when

    /// How many of a prompt's tokens are in the cache now. O(tokens).
    public func knownTokens(of request: GenerationRequest) -> Int {
        cache.knownTokens(request, variant: model.rotationVariant(length: configuration.length(of: request, model.shape)))
    }

    /// How many answers are worth running at once by what steps were measured to take: with so many, what a step takes anyway, such as
    /// reading the weights, is 3 % of it, so that more would hardly answer more in a second.
    ///
    /// - Parameter least: the least to return, for as long as little is known.
    public func rowsWorthwhile(atLeast least: Int) -> Int {
        let running = scheduler.running
        let slots = running.reduce(0) { $0 + $1.computed } / max(running.count, 1)
        return max(least, cache.cost.steps < 16 ? 0 : cache.cost.rowsWorthwhile(part: 0.03, slots: Double(slots)))
    }

    /// The first waits in the queue, the others for its prompt.
    func enter(_ samples: [TokenSequence]) {
        guard let first = samples.first else { return }
        first.followers = Array(samples.dropFirst())
        scheduler.add(first)
    }

    /// Ends a request early; its pages are free at once.
    public func cancel(id: Int) {
        guard let sequence = scheduler.sequence(id: id) else { return }
        end(sequence, .cancelled, now())
    }

    /// Changes how urgent a request is, from the next step on.
    public func setPriority(_ priority: Priority, id: Int) { scheduler.sequence(id: id)?.priority = priority }

    /// Changes the bytes that the cache may take, up to what it was made with. Prefixes that nobody uses leave first, then running
    /// requests give up their pages and wait; those that could never run in so little end with an error.
    public func setCacheBytes(_ bytes: Int) {
        let pages = max(0, bytes) / max(storage.pageBytes, 1)
        cache.setLimit(pages)
        for sequence in scheduler.all {
            if let error = misfit(sequence) { end(sequence, .failure(error)) }
        }
        scheduler.shrink(&cache)
    }

    /// Why a request can never run in the cache as it is now; nil where it can.
    private func misfit(_ sequence: TokenSequence) -> EngineError? {
        let pages = cache.pages(for: sequence.limit)
        guard pages > cache.pageCount, !sequence.lowerLimit(to: cache.pageCount * cache.pageSize) else { return nil }
        return .cacheTooSmall(neededPages: pages, pages: cache.pageCount, pageSize: cache.pageSize)
    }

    /// Ends every request with an error.
    func endAll(_ error: EngineError) {
        for sequence in scheduler.all { end(sequence, .failure(error)) }
    }

    /// Ends the requests whose time is over. One comparison where no deadline has passed.
    func endOverdue() {
        guard let earliest = nextDeadline else { return }
        let time = now()
        guard time >= earliest else { return }
        nextDeadline = nil
        for sequence in scheduler.all {
            guard let deadline = sequence.request.deadline else { continue }
            if time >= deadline {
                end(sequence, .deadline, time)
            } else {
                nextDeadline = min(nextDeadline ?? deadline, deadline)
            }
        }
    }

    func end(_ sequence: TokenSequence, _ reason: FinishReason, _ time: ContinuousClock.Instant) {
        sequence.statistics.end = time
        end(sequence, .success(.finished(reason, sequence.statistics)))
    }

    /// Takes a request out, frees its pages and tells its caller.
    func end(_ sequence: TokenSequence, _ outcome: Result<GenerationEvent, EngineError>) {
        let followers = sequence.followers
        sequence.followers = []
        scheduler.remove(sequence)
        cache.release(sequence, hint: sequence.request.reuse)
        enter(followers)
        finish(sequence, outcome)
    }

    private func finish(_ sequence: TokenSequence, _ outcome: Result<GenerationEvent, EngineError>) {
        switch outcome {
        case .success(.finished(.cancelled, _)), .success(.finished(.deadline, _)): counts.cancelled += 1
        case .success:
            counts.finished += 1
            if sequence.pooled != nil { counts.embeddings += 1 }
        case .failure: counts.failed += 1
        }
        sequence.send(outcome)
    }

    // MARK: Log-probabilities of the prompt

    func notePrompt(_ sequence: TokenSequence, _ token: PromptToken) {
        if sequence.promptTokens.isEmpty {
            sequence.promptTokens.append(PromptToken(id: sequence.tokens[0], logprob: nil, topLogprobs: []))
        }
        sequence.promptTokens.append(token)
    }

    /// Reports the prompt's log-probabilities where they were asked for and its first token is about to be chosen.
    func sendPrompt(_ sequence: TokenSequence) {
        guard sequence.generatedCount == 0, sequence.request.promptLogprobs != nil else { return }
        if sequence.promptTokens.isEmpty {
            sequence.promptTokens = [PromptToken(id: sequence.tokens[0], logprob: nil, topLogprobs: [])]
        }
        sequence.send(.success(.prompt(sequence.promptTokens)))
    }
}
