internal import Foundation
internal import Inference

/// What answers a job's lines, step by step.
protocol JobEngine: AnyObject {
    var statistics: EngineStatistics { get }

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

    func cancel(id: Int)

    /// Lets time pass, and tells what came of the requests meanwhile.
    @discardableResult func step() -> Bool
}

/// An engine that somebody else steps, and that answers others too.
final class SharedEngine: JobEngine {
    private let engine: Engine
    private var requests: [Int: (run: RunningRequest, send: (Result<GenerationEvent, EngineError>) -> Void)] = [:]
    private let inbox = Inbox()

    init(_ engine: Engine) { self.engine = engine }

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
                for try await event in events { inbox.put(id, .success(event)) }
            } catch {
                inbox.put(id, .failure(error as? EngineError ?? .stopped))
            }
        }
        return id
    }

    func cancel(id: Int) { requests.removeValue(forKey: id)?.run.cancel() }

    func step() -> Bool {
        let events = inbox.take()
        for (id, outcome) in events {
            requests[id]?.send(outcome)
            switch outcome {
            case .success(.finished), .failure: requests[id] = nil
            case .success: break
            }
        }
        return !events.isEmpty
    }
}

extension EngineLoop: JobEngine {}
