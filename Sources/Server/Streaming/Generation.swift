internal import Inference
internal import OpenAI
internal import Synchronization

/// A task that the engine works on: its choices' events in one stream. Letting go of the stream, or a client that leaves, ends
/// the work.
final class Generation: Sendable {
    /// What the stream brings.
    enum Item: Sendable {
        case event(choice: Int, GenerationEvent)
        /// Time has passed; comes as often as a sign of life is due.
        case tick
    }

    let task: GenerationTask
    let lease: ModelLease
    private let runs: [RunningRequest]
    /// What comes, in order; for one reader.
    let events: AsyncThrowingStream<Item, any Error>
    private let connection: ConnectionState
    private let goneToken: Int
    private let meter: RequestMeter

    /// Enters a task into the engine.
    ///
    /// - Parameter id: the response's.
    /// - Throws: ``APIError`` for what the engine refuses, ``Busy`` where too much is waiting.
    init(_ task: GenerationTask, _ lease: ModelLease, _ exchange: Exchange, id: String) async throws {
        self.task = task
        self.lease = lease
        let service = exchange.service
        let limits = service.settings.limits
        let model = lease.model
        guard task.choices <= limits.choices else {
            throw APIError(
                "\(task.choices) answers are asked for; the most of one request is \(limits.choices)", parameter: "n",
                code: "invalid_value")
        }
        let promptTokens = task.prompts.reduce(0) { $0 + $1.count }
        if let limit = limits.promptTokens, promptTokens > limit {
            throw APIError(
                "the prompts have \(promptTokens) tokens, \(promptTokens - limit) more than this server takes in one request",
                parameter: task.endpoint == .chatCompletions ? "messages" : "prompt", code: "context_length_exceeded")
        }
        connection = try await ConnectionWatch.state(of: exchange.context.channel)
        try service.gate.enter(waiting: model.engine.statistics.waiting)
        do {
            runs = try Self.start(task, model, exchange)
        } catch {
            service.gate.leave()
            throw error
        }
        meter = RequestMeter(model, service, arrival: exchange.context.arrival, choices: task.choices)
        exchange.context.notes.add("model", model.name)
        exchange.context.notes.add("prompt_tokens", promptTokens)
        let runs = runs
        model.liveNames.add(
            runs.enumerated().map { choice, run in
                let sample = choice % task.samples
                return (run.id, LiveNames.Name(id: id, sample: sample, endpoint: exchange.request.uri.path))
            })
        goneToken = connection.onGone { for run in runs { run.cancel() } }
        events = Self.merge(runs, model.engine, meter, service)
    }

    deinit {
        connection.forget(goneToken)
        lease.model.liveNames.remove(runs.map(\.id))
        meter.end()
    }

    private static func start(
        _ task: GenerationTask, _ model: LoadedModel, _ exchange: Exchange
    ) throws -> [RunningRequest] {
        let service = exchange.service
        let seconds = [task.service.timeout, service.settings.limits.answerSeconds].compactMap { $0 }.min()
        let deadline = seconds.map { ContinuousClock.now + .seconds($0) }
        let user = service.user(of: exchange, named: task.service.user)
        var runs: [RunningRequest] = []
        for prompt in 0..<task.prompts.count {
            let requests = (0..<task.samples).map { sample in
                var request = task.request(choice: prompt * task.samples + sample, model: model.served)
                request.priority = task.service.priority
                request.user = user
                request.deadline = deadline
                request.cacheSalt = task.service.cacheSalt
                return request
            }
            do throws(EngineError) {
                if task.scoresPrompt {
                    for request in requests {
                        runs.append(try model.engine.start(request, endOfGeneration: model.served.endOfGeneration))
                    }
                } else {
                    runs += try model.engine.start(samples: requests, endOfGeneration: model.served.endOfGeneration)
                }
            } catch {
                for run in runs { run.cancel() }
                var described = APIError(error)
                if described.parameter == "messages", task.endpoint == .completions { described.parameter = "prompt" }
                throw described
            }
        }
        return runs
    }

    private static func merge(
        _ runs: [RunningRequest], _ engine: Engine, _ meter: RequestMeter, _ service: Service
    ) -> AsyncThrowingStream<Item, any Error> {
        let (stream, continuation) = AsyncThrowingStream<Item, any Error>.makeStream()
        let counter = Counter(unfinished: runs.count)
        var tasks: [Task<Void, Never>] = []
        for (choice, run) in runs.enumerated() {
            tasks.append(
                Task {
                    do {
                        for try await event in run.events {
                            meter.take(event, choice: choice)
                            continuation.yield(.event(choice: choice, event))
                        }
                        if counter.finish() { continuation.finish() }
                    } catch {
                        continuation.finish(throwing: error)
                    }
                })
        }
        let seconds = service.settings.limits.keepAliveSeconds
        let first = runs[0].id
        let (queueSeconds, start) = (service.settings.limits.queueSeconds, ContinuousClock.now)
        tasks.append(
            Task {
                while (try? await Task.sleep(for: .seconds(seconds))) != nil {
                    if !meter.hasBegun, ContinuousClock.now - start > .seconds(queueSeconds),
                        await engine.snapshot(branches: 0).requests.contains(where: { $0.id == first && $0.stage == .waiting })
                    {
                        continuation.finish(
                            throwing: Busy(
                                "the request has waited \(Int(queueSeconds)) seconds and was given up; try again later",
                                status: 503, type: "overloaded_error", code: "queue_timeout", retryAfter: 10))
                        return
                    }
                    continuation.yield(.tick)
                }
            })
        let all = tasks
        continuation.onTermination = { reason in
            for task in all { task.cancel() }
            // What has ended by itself needs no end.
            if case .finished(nil) = reason { return }
            for run in runs { run.cancel() }
        }
        return stream
    }

    private final class Counter: Sendable {
        private let unfinished: Atomic<Int>
        init(unfinished: Int) { self.unfinished = Atomic(unfinished) }
        /// Whether this was the last one.
        func finish() -> Bool { unfinished.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 }
    }

    // MARK: Taking

    /// A choice each, before anything has come.
    var choices: [ChoiceAssembler] {
        (0..<task.choices).map { ChoiceAssembler(task, choice: $0, model: lease.model.served) }
    }

    /// All choices once they are finished.
    ///
    /// - Throws: `CancellationError` where the client has left.
    func whole() async throws -> [ChoiceAssembler] {
        var choices = choices
        for try await item in events { if case .event(let choice, let event) = item { _ = choices[choice].take(event) } }
        if connection.isGone { throw CancellationError() }
        return choices
    }
}
