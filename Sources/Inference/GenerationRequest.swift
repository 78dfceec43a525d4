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
    /// Decides before each token which may follow: the scores of all others are taken away before anything else looks at them. Where
    /// it leaves none, the request ends with ``SamplingError/noCandidate(position:)``. Log-probabilities of the model's own distribution
    /// do not see it.
    public var mask: (any ScoreMask)?

    // How it is scheduled. Nothing below changes a token.

    /// How urgent it is.
    public var priority = Priority.interactive
    /// Whose request it is, where the engine is fair between users.
    public var user: String?
    /// When the answer must end at the latest; it then ends with what there is.
    public var deadline: ContinuousClock.Instant?
    /// Only requests with the same text share pages: keeps what one user's prompts leave in the cache from others.
    public var cacheSalt: String?
    /// Whether the caller expects its pages to be asked for again.
    public var reuse: ReuseHint?

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
    /// The request's deadline passed.
    case deadline
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

/// Why a request was refused or could not be finished.
public enum EngineError: Error, Sendable, Equatable, CustomStringConvertible {
    case emptyPrompt
    case tokenOutOfRange(token: Int32, position: Int, vocabulary: Int)
    case contextOverflow(prompt: Int, context: Int)
    case cacheTooSmall(neededPages: Int, pages: Int, pageSize: Int)
    /// The machine's memory does not hold weights, working memory and a page of the cache.
    case memoryTooSmall(needed: Int, available: Int)
    case negativeLimit(Int)
    case configuration(field: String, value: Int, allowed: String)
    /// The folder of the prefix store cannot be used.
    case prefixStore(folder: String, reason: String)
    case sampling(SamplingError)
    /// A fork of a request that has ended, or at a token that it does not have yet.
    case cannotFork(request: Int, at: Int?, generated: Int?)
    /// Parallel samples with different prompts or salts.
    case samplesDiffer(index: Int)
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
        case .memoryTooSmall(let needed, let available):
            "the model needs at least \(needed) bytes of memory and \(available) are available; "
                + "free some, raise the control group's limit, use a smaller model, or give the cache's bytes yourself"
        case .negativeLimit(let limit): "a limit of \(limit) tokens is not allowed; give 0 or more"
        case .configuration(let field, let value, let allowed):
            "the engine's \(field) is \(value); it must be \(allowed)"
        case .prefixStore(let folder, let reason):
            "the prefix store '\(folder)' cannot be used: \(reason); name a folder that this user may write"
        case .sampling(let error): error.description
        case .cannotFork(let request, _, nil): "request \(request) has ended or never was, so it cannot be forked"
        case .cannotFork(let request, let at, let generated?):
            "request \(request) has \(generated) tokens of its answer and cannot be forked at \(at ?? generated); "
                + "wait for the token or fork at an earlier one"
        case .samplesDiffer(let index):
            "parallel samples share one prompt, but that of sample \(index) differs; submit it by itself"
        case .stopped: "the engine was shut down"
        }
    }
}
