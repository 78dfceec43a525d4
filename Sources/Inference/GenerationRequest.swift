/// What a caller asks of the engine: tokens in, rules for the tokens out.
public struct GenerationRequest: Sendable {
    /// The prompt, at least one token.
    public var prompt: [Int32]
    /// How tokens are chosen.
    public var sampling: SamplingParameters
    /// The most tokens to generate; nil for as many as the context holds. 0 only scores the prompt.
    public var maximumTokens: Int?
    /// Where all randomness comes from.
    public var seed: UInt64
    /// Which of several answers to the same prompt this is, from 0.
    public var sampleIndex: UInt32
    /// How many of the likeliest tokens to report for each prompt position besides the prompt's own token; nil for none.
    public var promptLogprobs: Int?
    /// Decides after each token whether the answer is complete: stop strings, later grammars.
    public var stop: (any StopCondition)?

    public init(
        prompt: [Int32], sampling: SamplingParameters = SamplingParameters(), maximumTokens: Int? = nil,
        seed: UInt64 = 0, sampleIndex: UInt32 = 0, promptLogprobs: Int? = nil, stop: (any StopCondition)? = nil
    ) {
        self.prompt = prompt
        self.sampling = sampling
        self.maximumTokens = maximumTokens
        self.seed = seed
        self.sampleIndex = sampleIndex
        self.promptLogprobs = promptLogprobs
        self.stop = stop
    }
}

/// Says when an answer is complete. Called on the engine's thread, once for each token, in order.
public protocol StopCondition: AnyObject, Sendable {
    func shouldStop(after token: Int32) -> Bool
}

/// Why an answer ended.
public enum FinishReason: String, Sendable {
    /// The model's end token, a stop token or a stop condition.
    case stop
    /// The limit of tokens or the end of the context.
    case length
    /// The caller took it back.
    case cancelled
}

/// What the engine reports about one request, in order.
public enum GenerationEvent: Sendable {
    /// Log-probabilities of the prompt's tokens, the first one nil; sent once where they were asked for.
    case prompt([PromptToken])
    /// The next token. A stop token is not reported.
    case token(SampledToken)
    /// Nothing follows.
    case finished(FinishReason, GenerationStatistics)
}

/// A token of the prompt with its log-probability given those before it.
public struct PromptToken: Sendable, Equatable {
    public let id: Int32
    /// Natural logarithm; nil for the first token.
    public let logprob: Float?
    /// The likeliest tokens at this place.
    public let topLogprobs: [TokenLogprob]
}

/// What an answer cost.
public struct GenerationStatistics: Sendable, Equatable {
    public var promptTokens = 0
    /// Prompt tokens whose keys and values were found in the cache.
    public var cachedTokens = 0
    public var generatedTokens = 0
    /// Times the request lost its pages to others and was computed again.
    public var preemptions = 0

    public init() {}
}

/// Why a request was refused or could not be finished.
public enum EngineError: Error, Sendable, Equatable, CustomStringConvertible {
    case emptyPrompt
    case tokenOutOfRange(token: Int32, position: Int, vocabulary: Int)
    case contextOverflow(prompt: Int, context: Int)
    case cacheTooSmall(neededPages: Int, pages: Int, pageSize: Int)
    case negativeLimit(Int)
    case configuration(field: String, value: Int, allowed: String)
    case sampling(SamplingError)
    case stopped

    public var description: String {
        switch self {
        case .emptyPrompt: "the prompt has no tokens; give at least one"
        case .tokenOutOfRange(let token, let position, let vocabulary):
            "token \(token) at position \(position) of the prompt is not in 0..<\(vocabulary)"
        case .contextOverflow(let prompt, let context):
            "the prompt has \(prompt) tokens, \(prompt - context + 1) more than a context of \(context) leaves room for; "
                + "shorten it or raise the context"
        case .cacheTooSmall(let needed, let pages, let pageSize):
            "the request may need \(needed) pages of \(pageSize) tokens and the cache has \(pages); "
                + "lower the token limit or give the cache more memory"
        case .negativeLimit(let limit): "a limit of \(limit) tokens is not allowed; give 0 or more"
        case .configuration(let field, let value, let allowed):
            "the engine's \(field) is \(value); it must be \(allowed)"
        case .sampling(let error): error.description
        case .stopped: "the engine was shut down"
        }
    }
}
