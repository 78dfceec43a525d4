public import Apus
internal import Checkpoints
internal import Foundation
internal import Inference

/// How a language model tells whether a solution's steps are right: after the token that ends a step, the scores of two tokens
/// alone count, one for "right so far" and one for "not" (as Wang et al., "Math-Shepherd", arXiv 2312.08935, section 3.3, train theirs).
///
/// A model says so under `apus_step_reward` in its config.json.
public struct StepReward: Sendable, Equatable {
    public let good: Int32
    public let bad: Int32
    /// Ends every step but the last.
    public let newline: Int32
    /// Ends the turn, and so the last line.
    public let end: Int32

    static let key = "apus_step_reward"

    public init(good: Int32, bad: Int32, newline: Int32, end: Int32) {
        self.good = good
        self.bad = bad
        self.newline = newline
        self.end = end
    }
}

/// Scores the steps of solutions with a process reward model.
public struct StepScorer: Sendable {
    public let model: LanguageModel
    public let reward: StepReward

    /// - Throws: ``EvaluationError/noStepReward(model:)`` where the model's files do not say how it scores; `CheckpointError` where
    ///   what they say is damaged; `MissingTemplate` where it has no chat template.
    public init(_ model: LanguageModel) throws {
        guard let config = model.checkpoint.config, let object = try config.object(ifPresent: StepReward.key) else {
            throw EvaluationError.noStepReward(model: model.name)
        }
        func id(_ key: String) throws(CheckpointError) -> Int32 {
            let number = try object.int(key)
            guard (0..<model.shape.vocabulary).contains(number) else {
                throw object.failure(key, "\(number) is not a token of the model's \(model.shape.vocabulary)")
            }
            return Int32(number)
        }
        try self.init(
            model, StepReward(good: id("good"), bad: id("bad"), newline: id("newline"), end: id("end")))
    }

    /// - Parameter reward: how the model scores, for models whose files do not say.
    public init(_ model: LanguageModel, _ reward: StepReward) throws {
        if model.template == nil { throw MissingTemplate(model: model.name) }
        self.model = model
        self.reward = reward
    }

    /// How likely the solution so far is right, after each of its lines that is not empty.
    ///
    /// - Returns: a score of 0...1 for each line; nil where lines and ends of lines do not correspond, as with empty lines between.
    /// - Throws: `EngineError` where the conversation is longer than the context, `TemplateError` where the template refuses it.
    public func scores(question: String, solution: String) async throws -> [Double]? {
        let asked = [ChatMessage(role: "user", content: question)]
        let prompt = try model.tokens(of: asked)
        let tokens = try model.tokens(of: asked + [ChatMessage(role: "assistant", content: solution)])
        // The template opens a next turn after this one's end.
        guard tokens.starts(with: prompt), let end = tokens.lastIndex(of: reward.end), end >= prompt.count else {
            return nil
        }
        let places = (prompt.count...end).filter { tokens[$0] == reward.newline || $0 == end }
        let lines = solution.utf8.split(separator: UInt8(ascii: "\n")).count { line in
            !Substring(line).allSatisfy(\.isWhitespace)
        }
        guard places.count == lines else { return nil }
        return try await scores(tokens: tokens, places: places)
    }

    /// Scores many solutions, several at once, in their order; see ``scores(question:solution:)``.
    ///
    /// - Parameter progress: told after each solution how many are scored.
    public func scores(
        _ solutions: [(question: String, solution: String)], progress: @Sendable (Int) -> Void = { _ in }
    ) async throws -> [[Double]?] {
        try await withThrowingTaskGroup(of: (Int, [Double]?).self) { group in
            func score(_ index: Int) {
                let (question, solution) = solutions[index]
                group.addTask { (index, try await scores(question: question, solution: solution)) }
            }
            // Each asks for many places at once, so a few fill the engine.
            let together = max(1, model.engine.configuration.maximumRunning / 2)
            for index in 0..<min(together, solutions.count) { score(index) }
            var all = [[Double]?](repeating: nil, count: solutions.count)
            var done = 0
            while let (index, scores) = try await group.next() {
                all[index] = scores
                done += 1
                progress(done)
                if done + together <= solutions.count { score(done + together - 1) }
            }
            return all
        }
    }

    /// How likely a solution is right after the tokens at some places.
    ///
    /// - Parameter places: indices into `tokens`, ascending, at least one.
    /// - Complexity: one pass over the tokens, and for each place two over what the last page of the prefix cache lacks.
    public func scores(tokens: [Int32], places: [Int]) async throws -> [Double] {
        guard let last = places.last else { return [] }
        // The longest prefix first: its pages serve the others.
        let goodAtEnd = try await logprob(of: reward.good, after: tokens[...last])
        return try await withThrowingTaskGroup(of: (Int, Double).self) { group in
            for (index, place) in places.enumerated() {
                group.addTask {
                    let prefix = tokens[...place]
                    async let bad = logprob(of: reward.bad, after: prefix)
                    let good = try await place == last ? goodAtEnd : logprob(of: reward.good, after: prefix)
                    return (index, 1 / (1 + exp(try await bad - good)))
                }
            }
            var scores = [Double](repeating: 0, count: places.count)
            while let (index, score) = try await group.next() { scores[index] = score }
            return scores
        }
    }

    /// The model's own log-probability of a token: the engine is made to take it and reports what it was worth.
    private func logprob(of token: Int32, after prefix: ArraySlice<Int32>) async throws -> Double {
        var sampling = SamplingParameters.greedy
        sampling.logitBias = [token: 1e6]
        sampling.logprobs = 0
        sampling.logprobSource = .model
        let request = GenerationRequest(prompt: Array(prefix), sampling: sampling, maximumTokens: 1)
        for try await event in try model.engine.submit(request) {
            if case .token(let taken) = event, taken.id == token, let logprob = taken.logprob, logprob.isFinite {
                return Double(logprob)
            }
        }
        throw EvaluationError.notANumber(position: prefix.endIndex)
    }
}
