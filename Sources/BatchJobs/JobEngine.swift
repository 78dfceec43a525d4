internal import Foundation
internal import Inference

/// What answers a job's lines, step by step.
protocol JobEngine: EmbeddingEngine {
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
    @discardableResult
    func submit(
        _ request: GenerationRequest, id: Int, endOfGeneration: [Int32],
        send: @escaping (Result<GenerationEvent, EngineError>) -> Void
    ) throws(EngineError) -> Int

    // From EmbeddingEngine: cancel(id:), embed(…), and step(), which lets time pass and tells what came of the requests meanwhile.
}

/// An engine that somebody else steps, and that answers others too.
final class SharedEngine: JobEngine {
    private let engine: Engine
    private var requests: [Int: (run: RunningRequest, send: (Result<GenerationEvent, EngineError>) -> Void)] = [:]
    private var texts: [Int: (run: Task<Void, Never>, send: (Result<Embedding, EmbeddingError>) -> Void)] = [:]
    private let inbox = Inbox()

    init(_ engine: Engine) { self.engine = engine }

    deinit {
        for request in requests.values { request.run.cancel() }
        for text in texts.values { text.run.cancel() }
    }

    /// Something that the engine has said.
    private enum Item: Sendable {
        case event(Result<GenerationEvent, EngineError>)
        case embedding(Result<Embedding, EmbeddingError>)
    }

    /// Where the requests' events wait for the job's thread.
    private final class Inbox: @unchecked Sendable {
        private let condition = NSCondition()
        private var items: [(Int, Item)] = []

        func put(_ id: Int, _ item: Item) {
            condition.withLock {
                items.append((id, item))
                condition.signal()
            }
        }

        /// All so far; waits for the first one, but not for ever, since somebody may want the job to stop.
        func take() -> [(Int, Item)] {
            condition.withLock {
                let limit = Date(timeIntervalSinceNow: 0.1)
                while items.isEmpty, condition.wait(until: limit) {}
                defer { items = [] }
                return items
            }
        }
    }

    var statistics: EngineStatistics { engine.statistics }

    func submit(
        _ request: GenerationRequest, id: Int, endOfGeneration: [Int32],
        send: @escaping (Result<GenerationEvent, EngineError>) -> Void
    ) throws(EngineError) -> Int {
        var request = request
        request.priority = .batch
        let run = try engine.start(request, endOfGeneration: endOfGeneration)
        requests[id] = (run, send)
        let (events, inbox) = (run.events, inbox)
        Task {
            do {
                for try await event in events { inbox.put(id, .event(.success(event))) }
            } catch {
                inbox.put(id, .event(.failure(error as? EngineError ?? .stopped)))
            }
        }
        return id
    }

    func embed(
        _ request: EmbeddingRequest, id: Int, input: Int, send: @escaping (Result<Embedding, EmbeddingError>) -> Void
    ) throws(EmbeddingError) {
        var request = request
        request.priority = .batch
        let (engine, inbox, asked) = (engine, inbox, request)
        let run = Task {
            do {
                inbox.put(id, .embedding(.success(try await engine.embed(asked, input: input))))
            } catch {
                inbox.put(id, .embedding(.failure(error as? EmbeddingError ?? .ended(input: input, .cancelled))))
            }
        }
        texts[id] = (run, send)
    }

    /// What others leave in the cache is theirs to use.
    func knownTokens(of request: GenerationRequest) -> Int { 0 }

    func rowsWorthwhile(atLeast least: Int) -> Int { least }

    func cancel(id: Int) {
        requests.removeValue(forKey: id)?.run.cancel()
        texts.removeValue(forKey: id)?.run.cancel()
    }

    func step() -> Bool {
        let items = inbox.take()
        for (id, item) in items {
            switch item {
            case .event(let outcome):
                requests[id]?.send(outcome)
                switch outcome {
                case .success(.finished), .failure: requests[id] = nil
                case .success: break
                }
            case .embedding(let result): texts.removeValue(forKey: id)?.send(result)
            }
        }
        return !items.isEmpty
    }
}

extension EngineLoop: JobEngine {}
