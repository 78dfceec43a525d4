public import Inference
public import Models

/// Steps an engine's loop by hand and collects what each request gets.
public final class LoopDriver {
    public struct Answer {
        public var ids: [Int32] = []
        public var logprobs: [Float] = []
        public var prompt: [PromptToken] = []
        public var finish: FinishReason?
        public var statistics = GenerationStatistics()
        public var error: EngineError?
    }

    public let loop: EngineLoop
    public private(set) var answers: [Int: Answer] = [:]
    private var nextID = 0

    public init(_ model: any Model, _ configuration: EngineConfiguration) throws {
        loop = try EngineLoop(model: model, configuration: configuration)
    }

    @discardableResult
    public func submit(_ request: GenerationRequest, endOfGeneration: [Int32] = []) throws -> Int {
        let id = newID()
        return try loop.submit(request, id: id, endOfGeneration: endOfGeneration) { [unowned self] in take(id, $0) }
    }

    /// Enters parallel samples. Returns their ids.
    @discardableResult
    public func submit(samples requests: [GenerationRequest]) throws -> [Int] {
        let ids = requests.map { _ in newID() }
        try loop.submit(samples: requests, id: ids.first ?? 0) { [unowned self] index, outcome in
            take(ids[index], outcome)
        }
        return ids
    }

    /// Forks a request. Returns the fork's id; its answer is what follows the tokens that it keeps.
    @discardableResult
    public func fork(_ original: Int, _ fork: Fork) throws -> Int {
        let id = newID()
        try loop.fork(original, fork, id: id) { [unowned self] in take(id, $0) }
        return id
    }

    private func newID() -> Int {
        nextID += 1
        answers[nextID - 1] = Answer()
        return nextID - 1
    }

    private func take(_ id: Int, _ outcome: Result<GenerationEvent, EngineError>) {
        switch outcome {
        case .success(.token(let token)):
            answers[id]!.ids.append(token.id)
            if let logprob = token.logprob { answers[id]!.logprobs.append(logprob) }
        case .success(.prompt(let prompt)): answers[id]!.prompt = prompt
        case .success(.finished(let reason, let statistics)):
            answers[id]!.finish = reason
            answers[id]!.statistics = statistics
        case .failure(let error): answers[id]!.error = error
        }
    }

    /// Steps until nothing is left to do. Returns the broken laws met on the way.
    @discardableResult
    public func run() -> [Violation] {
        var violations: [Violation] = []
        while !loop.isIdle {
            loop.step()
            violations += loop.violations()
        }
        return violations
    }

    /// Submits everything at once, runs to the end, returns the answers in order.
    public func run(_ requests: [GenerationRequest]) throws -> [Answer] {
        let ids = try requests.map { try submit($0) }
        let violations = run()
        precondition(violations.isEmpty, "\(violations)")
        return ids.map { answers[$0]! }
    }
}
