internal import Foundation
internal import Inference
internal import Synchronization

/// What answers a job's lines, step by step.
protocol JobEngine: AnyObject {
    var statistics: EngineStatistics { get }

    /// How many tokens of a prompt are known to be in the cache.
    func knownTokens(of request: GenerationRequest) -> Int

    /// How many answers are worth running at once; see `EngineLoop.rowsWorthwhile(atLeast:)`.
    func rowsWorthwhile(atLeast least: Int) -> Int

    /// Enters a request.
    ///
    /// - Parameters:
    ///   - id: that of no other request of the job.
    ///   - send: is called during ``step()``.
    func submit(
        _ request: GenerationRequest, id: Int, endOfGeneration: [Int32],
        send: @escaping (Result<GenerationEvent, EngineError>) -> Void
    ) throws(EngineError)

    func cancel(id: Int)

    /// Lets time pass, and tells what came of the requests meanwhile.
    func step()

    /// Vectors of several texts, all pooled alike; returns when all are there.
    ///
    /// - Throws: the error of the first text that has one.
    func embeddings(_ requests: [EmbeddingRequest], pooling: EmbeddingPooling) throws(EmbeddingError) -> [Embedding]
}

/// An engine of the job's own.
final class OwnEngine: JobEngine {
    private let loop: EngineLoop
    private let embedder: Embedder

    init(_ loop: EngineLoop) {
        self.loop = loop
        // Ids that no answer has.
        embedder = Embedder(loop, firstID: 1 << 40)
    }

    var statistics: EngineStatistics { loop.statistics }
    func knownTokens(of request: GenerationRequest) -> Int { loop.knownTokens(of: request) }
    func rowsWorthwhile(atLeast least: Int) -> Int { loop.rowsWorthwhile(atLeast: least) }

    func submit(
        _ request: GenerationRequest, id: Int, endOfGeneration: [Int32],
        send: @escaping (Result<GenerationEvent, EngineError>) -> Void
    ) throws(EngineError) {
        try loop.submit(request, id: id, endOfGeneration: endOfGeneration, send: send)
    }

    func cancel(id: Int) { loop.cancel(id: id) }

    func step() { loop.step() }

    func embeddings(_ requests: [EmbeddingRequest], pooling: EmbeddingPooling) throws(EmbeddingError) -> [Embedding] {
        try embedder.embeddings(requests.map(\.tokens), pooling: pooling)
    }
}

/// An engine that somebody else steps, and that answers others too.
final class SharedEngine: JobEngine {
    private let engine: Engine
    private var requests: [Int: (run: RunningRequest, send: (Result<GenerationEvent, EngineError>) -> Void)] = [:]
    private let inbox = Inbox()

    private let user: String?

    /// - Parameter user: whose requests all are; nil for whoever each names.
    init(_ engine: Engine, user: String? = nil) {
        self.engine = engine
        self.user = user
    }

    deinit { for request in requests.values { request.run.cancel() } }

    /// Where the requests' events wait for the job's thread.
    private final class Inbox: @unchecked Sendable {
        private let condition = NSCondition()
        private var events: [(Int, Result<GenerationEvent, EngineError>)] = []

        func put(_ id: Int, _ outcome: Result<GenerationEvent, EngineError>) {
            condition.withLock {
                events.append((id, outcome))
                condition.signal()
            }
        }

        /// All so far; waits for the first one, but not for ever, since somebody may want the job to stop.
        func take() -> [(Int, Result<GenerationEvent, EngineError>)] {
            condition.withLock {
                let limit = Date(timeIntervalSinceNow: 0.1)
                while events.isEmpty, condition.wait(until: limit) {}
                defer { events = [] }
                return events
            }
        }
    }

    var statistics: EngineStatistics { engine.statistics }
    /// What others leave in the cache comes as a gift.
    func knownTokens(of request: GenerationRequest) -> Int { 0 }
    func rowsWorthwhile(atLeast least: Int) -> Int { least }

    func submit(
        _ request: GenerationRequest, id: Int, endOfGeneration: [Int32],
        send: @escaping (Result<GenerationEvent, EngineError>) -> Void
    ) throws(EngineError) {
        var request = request
        request.priority = .batch
        if let user { request.user = user }
        let run = try engine.start(request, endOfGeneration: endOfGeneration)
        requests[id] = (run, send)
        let (events, inbox) = (run.events, inbox)
        Task {
            do {
                for try await event in events { inbox.put(id, .success(event)) }
            } catch {
                inbox.put(id, .failure(error as? EngineError ?? .stopped))
            }
        }
    }

    func cancel(id: Int) { requests.removeValue(forKey: id)?.run.cancel() }

    func step() {
        for (id, outcome) in inbox.take() {
            requests[id]?.send(outcome)
            switch outcome {
            case .success(.finished), .failure: requests[id] = nil
            case .success: break
            }
        }
    }

    func embeddings(_ requests: [EmbeddingRequest], pooling: EmbeddingPooling) throws(EmbeddingError) -> [Embedding] {
        let box = ResultBox()
        box.fill(requests, engine, user)
        // The job has a thread of its own, which may wait.
        return try box.value.get()
    }

    fileprivate static func vectors(
        _ requests: [EmbeddingRequest], _ engine: Engine, _ user: String?
    ) async -> Result<[Embedding], EmbeddingError> {
        do {
            return .success(
                try await withThrowingTaskGroup(of: (Int, Embedding).self) { group in
                    for (input, var request) in requests.enumerated() {
                        request.priority = .batch
                        if let user { request.user = user }
                        group.addTask { [request] in (input, try await engine.embed(request, input: input)) }
                    }
                    var found: [Embedding?] = Array(repeating: nil, count: requests.count)
                    for try await (input, embedding) in group { found[input] = embedding }
                    return found.map { $0! }
                })
        } catch {
            return .failure(error as? EmbeddingError ?? .engine(input: 0, .stopped))
        }
    }

    private final class ResultBox: Sendable {
        private let result = Mutex<Result<[Embedding], EmbeddingError>>(.success([]))
        private let done = DispatchSemaphore(value: 0)

        /// Waits for it.
        var value: Result<[Embedding], EmbeddingError> {
            done.wait()
            return result.withLock { $0 }
        }

        func fill(_ requests: [EmbeddingRequest], _ engine: Engine, _ user: String?) {
            Task {
                let vectors = await SharedEngine.vectors(requests, engine, user)
                self.result.withLock { $0 = vectors }
                self.done.signal()
            }
        }
    }
}
