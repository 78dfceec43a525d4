public import Apus
internal import Inference
internal import Models
public import Text

/// What turning requests into tokens, and tokens into responses, needs to know of a model.
public struct ServedModel: Sendable {
    /// The name that responses give.
    public let name: String
    public let tokenizer: Tokenizer
    public let template: ChatTemplate?
    public let endOfGeneration: [Int32]
    public let recommended: RecommendedSampling
    /// Scores in a row.
    public let vocabulary: Int

    public init(
        name: String, tokenizer: Tokenizer, template: ChatTemplate?, endOfGeneration: [Int32],
        recommended: RecommendedSampling, vocabulary: Int
    ) {
        self.name = name
        self.tokenizer = tokenizer
        self.template = template
        self.endOfGeneration = endOfGeneration
        self.recommended = recommended
        self.vocabulary = vocabulary
    }

    public init(_ model: LanguageModel) {
        self.init(
            name: model.name, tokenizer: model.tokenizer, template: model.template,
            endOfGeneration: model.endOfGeneration, recommended: model.recommended, vocabulary: model.shape.vocabulary)
    }

    /// Tokens of a text to be continued, with what the tokenizer puts at its beginning. Special tokens written in the
    /// text are plain text.
    func tokens(of text: String) -> [Int32] { tokenizer.encode(text, special: false, addSpecialTokens: true) }
}

/// What a request gets where its body says nothing. A model's own recommendation stands between the two.
public struct RequestDefaults: Sendable, Equatable {
    /// The most tokens of an answer; nil for the API's own: 16 for completions, what the context holds for
    /// conversations.
    public var maximumTokens: Int?
    /// nil for what the model's files recommend, else 1.
    public var temperature: Float?
    /// Where randomness comes from.
    public var seed: UInt64 = 0
    /// Whether fields that are not known are passed over and named in the task, instead of being refused.
    public var ignoresUnknownFields = false
    /// The most answers to one prompt.
    public var maximumSamples = 128

    public init() {}
}
