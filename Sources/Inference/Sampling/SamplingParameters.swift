/// How a request's tokens are chosen from the model's scores. Every default is neutral: the model's own distribution
/// at temperature 1.
///
/// Notation: a row holds one score (logit) x for each token; p = softmax(x) over the tokens still in play.
public struct SamplingParameters: Sendable, Equatable, Hashable {
    // MARK: The shape of the distribution

    /// Scores are divided by it. 0 chooses the highest score (ties: the lower token id); else 0.000001 ... 1000000.
    public var temperature: Float = 1
    /// Half the width of the dynamic temperature's interval around `temperature`, 0 ... 1000000; 0 is off.
    public var dynamicTemperatureRange: Float = 0
    /// Exponent that maps the normalised entropy into that interval, 0 ... 100.
    public var dynamicTemperatureExponent: Float = 1
    /// Keeps the k highest scores; 0 is off, at least 0.
    public var topK: Int = 0
    /// Keeps the fewest most probable tokens with a mass of at least this, above 0 and up to 1; 1 is off.
    public var topP: Float = 1
    /// Keeps tokens with at least this share of the highest probability, 0 ... 1; 0 is off.
    public var minP: Float = 0
    /// Keeps the tokens whose surprise is nearest to the entropy until their mass reaches this, above 0 and up to 1;
    /// 1 is off.
    public var typicalP: Float = 1
    /// Keeps scores within this many standard deviations of the highest, 0 ... 1000; 0 is off.
    public var topNSigma: Float = 0
    /// Chance of removing the top choices (XTC) at a position, 0 ... 1; 0 is off.
    public var xtcProbability: Float = 0
    /// Probability from which a token counts as a top choice, 0 ... 1; above 0.5 two can never qualify.
    public var xtcThreshold: Float = 0.1
    /// Version of mirostat, 0 (off), 1 or 2.
    public var mirostat: Int = 0
    /// Surprise in bits that mirostat steers to, above 0 and up to 100.
    public var mirostatTau: Float = 5
    /// Learning rate of mirostat, above 0 and up to 1.
    public var mirostatEta: Float = 0.1
    /// Probability that adaptive-p steers the chosen tokens to, 0 ... 1; nil is off.
    public var adaptiveTarget: Float?
    /// Weight of the past in adaptive-p's running mean, 0 ... 0.99.
    public var adaptiveDecay: Float = 0.9

    // MARK: Repetition

    /// Divides positive and multiplies negative scores of tokens seen in the window, 0.01 ... 100; 1 is off.
    public var repetitionPenalty: Float = 1
    /// Subtracted once from tokens that were generated in the window, -10000 ... 10000; 0 is off.
    public var presencePenalty: Float = 0
    /// Subtracted for each time a token was generated in the window, -10000 ... 10000; 0 is off.
    public var frequencyPenalty: Float = 0
    /// How many of the last tokens the three penalties look at, at least 0; nil is all of them.
    public var penaltyLastN: Int?
    /// Whether presence and frequency also count the prompt's tokens. The repetition penalty always does.
    public var penalizesPrompt: Bool = false
    /// Scale of the DRY penalty, 0 ... 10000; 0 is off.
    public var dryMultiplier: Float = 0
    /// Growth of the DRY penalty for each further repeated token, 1 ... 100.
    public var dryBase: Float = 1.75
    /// Longest repetition that DRY leaves alone, at least 1 token.
    public var dryAllowedLength: Int = 2
    /// How many of the last tokens DRY looks at, at least 0; nil is all of them.
    public var dryPenaltyLastN: Int?
    /// Token sequences across which DRY sees no repetition, none of them empty.
    public var drySequenceBreakers: [[Int32]] = []
    /// Length n of token sequences that may not occur twice, at least 0; 0 is off.
    public var noRepeatNGram: Int = 0

    // MARK: Constraints

    /// Added to the scores of token ids, -1e6 ... 1e6, or -infinity to ban one.
    public var logitBias: [Int32: Float] = [:]
    /// Token sequences that may not be generated, none of them empty.
    public var badWords: [[Int32]] = []
    /// How many tokens must be generated before a stop id or an end-of-generation id may be, at least 0.
    public var minTokens: Int = 0
    /// Token ids that end this request's answer, beside the model's own.
    public var stopTokens: [Int32] = []
    /// Bans the model's end-of-generation ids throughout.
    public var ignoresEndOfGeneration: Bool = false
    /// Limits the length of thinking; nil is off.
    public var thinkingBudget: ThinkingBudget?

    // MARK: Order and report

    /// The stages that shape the distribution, in the order in which they run. A parameter that is not neutral needs
    /// its stage in the list; mirostat and adaptive-p can only come last. Constraints always run before these.
    public var order: [SamplingStageName] = SamplingStageName.defaultOrder
    /// How many of the most probable tokens to report beside the chosen one, 0 ... vocabulary; nil reports no
    /// log-probabilities at all.
    public var logprobs: Int?
    /// Which distribution reported log-probabilities belong to.
    public var logprobSource: LogprobSource = .model

    /// Neutral parameters: the model's distribution at temperature 1.
    public init() {}

    /// The highest score at each step.
    public static var greedy: SamplingParameters {
        var parameters = SamplingParameters()
        parameters.temperature = 0
        return parameters
    }
}

/// A limit on the tokens between a thinking block's opening and closing token sequences: once it is reached, the
/// closing sequence is forced.
public struct ThinkingBudget: Sendable, Equatable, Hashable {
    /// Token ids that open a block, in the prompt or in the answer; not empty.
    public var opening: [Int32]
    /// Token ids that close a block; not empty.
    public var closing: [Int32]
    /// Tokens allowed inside a block, at least 0.
    public var tokens: Int

    public init(opening: [Int32], closing: [Int32], tokens: Int) {
        self.opening = opening
        self.closing = closing
        self.tokens = tokens
    }
}

/// The distribution that reported log-probabilities (natural logarithm) belong to.
public enum LogprobSource: String, Sendable, CaseIterable {
    /// The model's own: softmax of the raw scores, before any stage and at temperature 1.
    case model
    /// The one that the token was drawn from, after all stages; removed tokens have none. Greedy: 0 for the chosen.
    case sampled
}

/// The stages that shape the distribution, by the names that requests use.
public enum SamplingStageName: String, Sendable, CaseIterable {
    case penalties
    case dry
    case topNSigma = "top_n_sigma"
    case topK = "top_k"
    case typicalP = "typical_p"
    case topP = "top_p"
    case minP = "min_p"
    case xtc
    case temperature
    case mirostat
    case adaptiveP = "adaptive_p"

    /// The order when a request states none.
    public static let defaultOrder: [SamplingStageName] = [
        .penalties, .dry, .topNSigma, .topK, .typicalP, .topP, .minP, .xtc, .temperature, .mirostat, .adaptiveP,
    ]

    /// A stage by its name; `typ_p` is another name of `typical_p`.
    public init(name: String) throws(SamplingError) {
        if let stage = name == "typ_p" ? .typicalP : SamplingStageName(rawValue: name) {
            self = stage
        } else {
            let known = SamplingStageName.defaultOrder.map(\.rawValue).joined(separator: ", ")
            throw .parameter(field: "order", value: "\"\(name)\"", allowed: "a list of \(known)")
        }
    }
}

/// What sampling needs to know about a model's vocabulary.
public struct SamplingVocabulary: Sendable, Equatable {
    /// Tokens, and so scores in a row.
    public let size: Int
    /// The token ids with which the model ends an answer.
    public let endOfGeneration: [Int32]

    /// Size at least 1 and ids inside it: a vocabulary is our own, checked when the model was loaded.
    public init(size: Int, endOfGeneration: [Int32] = []) {
        precondition(size > 0 && size <= Int(Int32.max))
        precondition(endOfGeneration.allSatisfy { $0 >= 0 && Int($0) < size })
        self.size = size
        self.endOfGeneration = endOfGeneration
    }
}
