public import Apus
internal import Foundation
public import Inference
internal import Models

/// Perplexity of a text: e to the mean surprise of its tokens, with an error bar.
///
/// The text is read in windows of `window` tokens that begin `stride` tokens apart. Every token is scored once, in the
/// first window that reaches it, given what stands before it in that window; the first token of a window has nothing
/// before it and is never scored there. This is the strided definition that the `transformers` documentation
/// gives for models of fixed length.
public struct Perplexity: Sendable {
    /// e^(mean surprise).
    public let value: Double
    /// Standard error of `value`, from the spread of the tokens' surprise.
    public let standardError: Double
    /// Tokens scored.
    public let tokens: Int
    /// Sum of the surprise of all scored tokens, in nats.
    public let surprise: Double

    /// Measures a text's tokens.
    ///
    /// - Parameters:
    ///   - model: what is measured.
    ///   - tokens: at least two.
    ///   - window: tokens that the model sees at once, 2 or more, at most its context.
    ///   - stride: 1...window.
    ///   - progress: told after each window how many tokens are scored.
    /// - Throws: ``EvaluationError`` for a text or window that allows no measurement or scores that are no numbers,
    ///   `EngineError` from the engine.
    /// - Complexity: tokens × window / stride passes of a row.
    public static func measure(
        _ model: LanguageModel, tokens: [Int32], window: Int, stride: Int,
        progress: @Sendable (Int) -> Void = { _ in }
    ) async throws -> Perplexity {
        try await measure(model.engine, tokens: tokens, window: window, stride: stride, progress: progress)
    }

    /// Measures tokens by an engine alone; see ``measure(_:tokens:window:stride:progress:)``.
    public static func measure(
        _ engine: Engine, tokens: [Int32], window: Int, stride: Int, progress: @Sendable (Int) -> Void = { _ in }
    ) async throws -> Perplexity {
        guard tokens.count >= 2 else { throw EvaluationError.textTooShort(tokens: tokens.count) }
        guard window >= 2, stride >= 1, stride <= window else {
            throw EvaluationError.impossibleWindow(window: window, stride: stride)
        }
        let configuration = engine.configuration
        let context = min(configuration.context ?? engine.model.shape.context, engine.model.shape.context)
        guard min(window, tokens.count) <= context else {
            throw EvaluationError.windowTooLong(window: window, context: context)
        }
        var windows: [(begin: Int, end: Int, firstScored: Int)] = []
        var begin = 0
        var covered = 0
        while covered < tokens.count {
            let end = min(begin + window, tokens.count)
            windows.append((begin, end, max(covered, begin + 1)))
            covered = end
            begin += stride
        }
        var surprises: [Double] = []
        surprises.reserveCapacity(tokens.count)
        // A few windows at once keep every core busy; more would only hold memory.
        let together = max(1, configuration.maximumRunning)
        for start in Swift.stride(from: 0, to: windows.count, by: together) {
            let group = windows[start..<min(start + together, windows.count)]
            let streams = try group.map { window in
                try engine.submit(
                    GenerationRequest(
                        prompt: Array(tokens[window.begin..<window.end]), maximumTokens: 0, promptLogprobs: 0))
            }
            for (window, stream) in zip(group, streams) {
                for try await event in stream {
                    guard case .prompt(let scored) = event else { continue }
                    for (place, token) in scored.enumerated().dropFirst(window.firstScored - window.begin) {
                        guard let logprob = token.logprob, logprob.isFinite else {
                            throw EvaluationError.notANumber(position: window.begin + place)
                        }
                        surprises.append(-Double(logprob))
                    }
                }
                progress(surprises.count)
            }
        }
        guard !surprises.isEmpty else { throw EvaluationError.textTooShort(tokens: tokens.count) }
        let count = Double(surprises.count)
        let sum = surprises.reduce(0, +)
        let mean = sum / count
        let spread = surprises.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        let error = count > 1 ? (spread / (count - 1) / count).squareRoot() : 0
        return Perplexity(
            value: exp(mean), standardError: exp(mean) * error, tokens: surprises.count, surprise: sum)
    }
}

/// Why a measurement is impossible.
public enum EvaluationError: Error, Sendable, Equatable, CustomStringConvertible {
    case textTooShort(tokens: Int)
    case impossibleWindow(window: Int, stride: Int)
    case windowTooLong(window: Int, context: Int)
    /// The probability of the token at this position of the text is 0 or not a number.
    case notANumber(position: Int)
    case nothingToMeasure(questions: Int, samples: Int)
    /// Several samples at temperature 0.
    case sameSamples(Int)
    /// The model's files do not say how it scores steps.
    case noStepReward(model: String)

    public var description: String {
        switch self {
        case .textTooShort(let tokens):
            "the text has \(tokens == 1 ? "1 token" : "\(tokens) tokens"); at least two are needed to score one"
        case .impossibleWindow(let window, let stride):
            "a window of \(window) tokens with a stride of \(stride) is impossible; take 2 or more and a stride from 1 to "
                + "the window"
        case .windowTooLong(let window, let context):
            "a window of \(window) tokens does not fit a context of \(context); take a shorter one"
        case .notANumber(let position):
            "the model gives the token at position \(position) no finite log-probability; check the model file and its "
                + "number format"
        case .nothingToMeasure(let questions, let samples):
            "\(questions) questions with \(samples) samples each are nothing to measure; take at least 1 of both"
        case .sameSamples(let samples):
            "\(samples) samples at temperature 0 are all the same; give a temperature above 0, such as 0.8"
        case .noStepReward(let model):
            "\(model) is no process reward model: its config.json has no \(StepReward.key); use one such as builtin:sums-prm"
        }
    }
}
