internal import Inference
internal import Synchronization

/// Measures one request: when its first token came, how its tokens followed, and what it cost.
final class RequestMeter: Sendable {
    private struct State {
        var first: ContinuousClock.Instant?
        /// When the last token of each choice came.
        var last: [ContinuousClock.Instant?]
        var unfinished: Int
        var hasEnded = false
    }

    private let model: LoadedModel
    private let service: Service
    private let arrival: ContinuousClock.Instant
    private let state: Mutex<State>

    init(_ model: LoadedModel, _ service: Service, arrival: ContinuousClock.Instant, choices: Int) {
        self.model = model
        self.service = service
        self.arrival = arrival
        state = Mutex(State(last: Array(repeating: nil, count: choices), unfinished: choices))
    }

    var hasBegun: Bool { state.withLock { $0.first != nil } }

    func take(_ event: GenerationEvent, choice: Int) {
        let now = ContinuousClock.now
        let metrics = service.metrics
        let label = [("model_name", model.name)]
        switch event {
        case .prompt: state.withLock { $0.first = $0.first ?? now }
        case .token:
            let (isFirst, before) = state.withLock { state in
                defer {
                    state.first = state.first ?? now
                    state.last[choice] = now
                }
                return (state.first == nil, state.last[choice])
            }
            if isFirst {
                let seconds = (now - arrival) / .seconds(1)
                metrics.firstToken.observe(seconds, labels: label)
                model.latencies.add(.firstToken, seconds)
            }
            if let before {
                let seconds = (now - before) / .seconds(1)
                metrics.betweenTokens.observe(seconds, labels: label)
                model.latencies.add(.betweenTokens, seconds)
            }
        case .finished(let reason, let statistics):
            let isLast = state.withLock { state in
                state.unfinished -= 1
                return state.unfinished == 0
            }
            let seconds = (now - arrival) / .seconds(1)
            if let wait = statistics.queueTime {
                metrics.queue.observe(wait / .seconds(1), labels: label)
                model.latencies.add(.queue, wait / .seconds(1))
            }
            metrics.finished.add(labels: label + [("finished_reason", reason.rawValue)])
            metrics.answerTokens.observe(Double(statistics.generatedTokens), labels: label)
            metrics.promptTokens.observe(Double(statistics.promptTokens), labels: label)
            if isLast {
                metrics.whole.observe(seconds, labels: label)
                model.latencies.add(.whole, seconds)
            }
        }
    }

    /// The request is over, however it ended.
    func end() {
        let isNew = state.withLock { state in
            defer { state.hasEnded = true }
            return !state.hasEnded
        }
        if isNew { service.gate.leave() }
    }
}
