public import Apus
internal import Foundation
internal import Inference

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
    ///   - tokens: at least two.
    ///   - window: tokens that the model sees at once, 2 or more, at most its context.
    ///   - stride: 1...window.
    ///   - progress: told after each window how many tokens are scored.
    /// - Throws: ``EvaluationError`` for a text or window that allows no measurement, `EngineError` from the engine.
    /// - Complexity: tokens × window / stride passes of a row.
    public static func measure(
        _ model: LanguageModel, tokens: [Int32], window: Int, stride: Int,
        progress: @Sendable (Int) -> Void = { _ in }
    ) async throws -> Perplexity {
        guard tokens.count >= 2 else { throw EvaluationError.textTooShort(tokens: tokens.count) }
        guard window >= 2, stride >= 1, stride <= window else {
            throw EvaluationError.impossibleWindow(window: window, stride: stride)
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
        let together = max(1, model.engine.configuration.maximumRunning)
        for start in Swift.stride(from: 0, to: windows.count, by: together) {
            let group = windows[start..<min(start + together, windows.count)]
            let streams = try group.map { window in
                try model.engine.submit(
                    GenerationRequest(
                        prompt: Array(tokens[window.begin..<window.end]), maximumTokens: 0, promptLogprobs: 0))
            }
            for (window, stream) in zip(group, streams) {
                for try await event in stream {
                    guard case .prompt(let scored) = event else { continue }
                    for token in scored[(window.firstScored - window.begin)...] {
                        surprises.append(-Double(token.logprob ?? 0))
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

    public var description: String {
        switch self {
        case .textTooShort(let tokens): "the text has \(tokens) tokens; at least two are needed to score one"
        case .impossibleWindow(let window, let stride):
            "a window of \(window) tokens with a stride of \(stride) is impossible; take 2 or more and a stride of at most the window"
        }
    }
}
