public import Apus
internal import Foundation
public import Inference
internal import Models

/// Perplexity of a text: e to the mean surprise of its tokens, with an error bar.
///
/// The text is read in windows of `window` tokens that begin `stride` tokens apart. Every token is scored once, in the
/// first window that reaches it, given what stands before it there: `TextWindows`.
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
        let configuration = engine.configuration
        let context = min(configuration.context ?? engine.model.shape.context, engine.model.shape.context)
        let windows = try TextWindows(count: tokens.count, window: window, stride: stride, context: context).windows
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
