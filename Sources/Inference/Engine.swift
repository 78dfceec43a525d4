public import Models
internal import Synchronization

/// The engine: one thread that owns a model's cache and runs all requests in shared steps.
///
/// Any thread may submit. A request's answer depends on the model, the request and the cache type alone, never on what
/// else runs.
public final class Engine: Sendable {
    public typealias Events = AsyncThrowingStream<GenerationEvent, any Error>

    public let model: any Model
    /// What it was made with; the cache's bytes are what was planned where none were given.
    public let configuration: EngineConfiguration
    let mailbox = Mailbox()
    private let board = StatisticsBoard()
    private let nextID = Atomic<Int>(0)

    /// The first of so many ids that no other request has.
    func takeIDs(_ count: Int) -> Int { nextID.wrappingAdd(count, ordering: .relaxed).oldValue }

    /// Allocates the engine's memory and starts its thread.
    ///
    /// - Throws: ``EngineError`` where the cache cannot be had.
    public init(model: any Model, configuration: EngineConfiguration = EngineConfiguration()) throws(EngineError) {
        self.model = model
        let loop = try EngineLoop(model: model, configuration: configuration)
        self.configuration = loop.configuration
        EngineThread.start(loop, mailbox, board)
    }

    deinit { mailbox.post(.stop) }

    /// What the engine is doing and has done, as of its last step. Cheap; never makes the engine wait.
    public var statistics: EngineStatistics { board.statistics }

    /// Enters a request. Refusals are thrown here, before anything runs; what happens later ends the stream.
    ///
    /// Letting go of the stream cancels the request.
    public func submit(_ request: GenerationRequest, endOfGeneration: [Int32] = []) throws(EngineError) -> Events {
        try start(request, endOfGeneration: endOfGeneration).events
    }

    /// Enters a request, as ``submit(_:endOfGeneration:)`` does, and keeps a hand on it.
    public func start(
        _ request: GenerationRequest, endOfGeneration: [Int32] = []
    ) throws(EngineError) -> RunningRequest {
        try start(samples: [request], endOfGeneration: endOfGeneration)[0]
    }

    /// Enters parallel samples: requests with one prompt, which is computed once. They differ in sample index or in what else
    /// they like.
    ///
    /// - Throws: ``EngineError/samplesDiffer(index:)``, and what a submission throws; then none was entered.
    public func start(
        samples requests: [GenerationRequest], endOfGeneration: [Int32] = []
    ) throws(EngineError) -> [RunningRequest] {
        let id = takeIDs(requests.count)
        let channels = requests.indices.map { channel(id + $0) }
        let senders = channels.map(\.sender)
        let samples = try model.admit(samples: requests, id: id, endOfGeneration, configuration) { index, outcome in
            senders[index].send(outcome)
        }
        let arrival = ContinuousClock.now
        for sample in samples { sample.statistics.arrival = arrival }
        if !samples.isEmpty { mailbox.post(.submit(samples)) }
        return channels.enumerated().map { RunningRequest(id: id + $0, events: $1.events, engine: self) }
    }

    fileprivate func fork(_ original: Int, _ fork: Fork, _ endOfGeneration: [Int32]) -> RunningRequest {
        let id = takeIDs(1)
        let (events, sender) = channel(id)
        mailbox.post(
            .change { loop in
                do throws(EngineError) {
                    try loop.fork(original, fork, id: id, endOfGeneration: endOfGeneration, send: sender.send)
                } catch {
                    sender.send(.failure(error))
                }
            })
        return RunningRequest(id: id, events: events, engine: self)
    }

    /// A request's stream, and the engine's end of it. The engine must not hold the stream itself, or nobody could let go of it.
    private func channel(_ id: Int) -> (events: Events, sender: Sender) {
        let (events, continuation) = Events.makeStream()
        let mailbox = mailbox
        continuation.onTermination = { reason in
            if case .cancelled = reason { mailbox.post(.cancel(id)) }
        }
        return (events, Sender(continuation: continuation))
    }

    fileprivate func cancel(_ id: Int) { mailbox.post(.cancel(id)) }

    fileprivate func setPriority(_ priority: Priority, _ id: Int) {
        mailbox.post(.change { $0.setPriority(priority, id: id) })
    }

    /// Changes the bytes that the cache may take, up to what it was made with: see ``EngineLoop/setCacheBytes(_:)``.
    public func setCacheBytes(_ bytes: Int) { mailbox.post(.change { $0.setCacheBytes(bytes) }) }
}

/// A request that an engine works on.
public struct RunningRequest: Sendable {
    /// Its number in the engine.
    public let id: Int
    /// What becomes of it, in order. The request is cancelled when nobody holds the stream any more, nor this value.
    public let events: Engine.Events
    private let engine: Engine

    fileprivate init(id: Int, events: Engine.Events, engine: Engine) {
        self.id = id
        self.events = events
        self.engine = engine
    }

    /// Ends it with what there is; its pages are free before the next step.
    public func cancel() { engine.cancel(id) }

    public func setPriority(_ priority: Priority) { engine.setPriority(priority, id) }

    /// Continues it in another way from some token of its answer on, over shared pages. Errors end the fork's stream.
    public func fork(_ fork: Fork, endOfGeneration: [Int32] = []) -> RunningRequest {
        engine.fork(id, fork, endOfGeneration)
    }
}

/// The engine's end of a request's stream.
private struct Sender: Sendable {
    let continuation: Engine.Events.Continuation

    func send(_ outcome: Result<GenerationEvent, EngineError>) {
        switch outcome {
        case .success(let event):
            continuation.yield(event)
            if case .finished = event { continuation.finish() }
        case .failure(let error): continuation.finish(throwing: error)
        }
    }
}
