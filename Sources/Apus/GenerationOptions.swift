public import Inference
internal import Text

/// How an answer is made.
public struct GenerationOptions: Sendable {
    /// The most tokens; nil for as many as the context holds.
    public var maximumTokens: Int?
    public var sampling: SamplingParameters
    /// Where all randomness comes from: the same seed gives the same answer.
    public var seed: UInt64
    /// Which of several answers to the same prompt, from 0.
    public var sampleIndex: UInt32
    /// Texts that end the answer; they are not part of it.
    public var stop: [String]

    public init(
        maximumTokens: Int? = nil, sampling: SamplingParameters = SamplingParameters(), seed: UInt64 = 0,
        sampleIndex: UInt32 = 0, stop: [String] = []
    ) {
        self.maximumTokens = maximumTokens
        self.sampling = sampling
        self.seed = seed
        self.sampleIndex = sampleIndex
        self.stop = stop.filter { !$0.isEmpty }
    }
}

/// What a stream of text brings, in order.
public enum TextEvent: Sendable {
    case text(TextPiece)
    case finished(TextResult)
}

/// One token and the text that became certain with it: whole characters only, so it can be empty.
public struct TextPiece: Sendable {
    public let text: String
    public let token: SampledToken
}

/// The end of an answer.
public struct TextResult: Sendable {
    /// Text that was held back until the end was known.
    public let rest: String
    public let reason: FinishReason
    public let statistics: GenerationStatistics
}

/// One turn of a conversation.
public struct ChatMessage: Sendable, Equatable, Codable {
    /// `system`, `user` or `assistant`, or what else the model's template knows.
    public var role: String
    public var content: String

    public init(role: String, content: String) {
        self.role = role
        self.content = content
    }

    var json: JSONValue {
        .object([
            JSONValue.Member(key: "role", value: .string(role)),
            JSONValue.Member(key: "content", value: .string(content)),
        ])
    }
}

/// What a model's files recommend; nil where they say nothing.
public struct RecommendedSampling: Sendable, Equatable {
    public var temperature: Double?
    public var topK: Int?
    public var topP: Double?
    public var minP: Double?
    public var repetitionPenalty: Double?
}
