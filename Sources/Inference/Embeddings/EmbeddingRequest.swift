/// What a caller asks of the engine to turn a text into a vector.
public struct EmbeddingRequest: Sendable {
    /// The text, at least one token and no more than the context.
    public var tokens: [Int32]
    public var pooling: EmbeddingPooling

    // How it is scheduled. Nothing below changes a bit.

    /// How urgent it is.
    public var priority = Priority.interactive
    /// Whose request it is, where the engine is fair between users.
    public var user: String?
    /// When it must be done at the latest.
    public var deadline: ContinuousClock.Instant?
    /// Only requests with the same text share pages.
    public var cacheSalt: String?
    /// Whether the caller expects the text's beginning to be asked for again. Most texts are embedded once.
    public var reuse: ReuseHint? = .notNeeded

    public init(tokens: [Int32], pooling: EmbeddingPooling = .last) {
        self.tokens = tokens
        self.pooling = pooling
    }
}

/// A text's vector.
public struct Embedding: Sendable, Equatable {
    /// [width], of length 1.
    public let vector: [Float]
    public let statistics: GenerationStatistics
}

/// Why a text has no embedding.
public enum EmbeddingError: Error, Sendable, Equatable, CustomStringConvertible {
    case empty(input: Int)
    case tooLong(input: Int, tokens: Int, context: Int)
    case notFinite(input: Int)
    /// The engine refused or ended it.
    case engine(input: Int, EngineError)
    /// Its deadline passed, or it was taken back.
    case ended(input: Int, FinishReason)

    public var description: String {
        switch self {
        case .empty(let input): "input \(input) has no tokens; give at least one"
        case .tooLong(let input, let tokens, let context):
            "input \(input) has \(tokens) tokens, more than the context of \(context); shorten it"
        case .notFinite(let input):
            "the model's states for input \(input) have no finite length; check the model file and its number format"
        case .engine(let input, let error): "input \(input): \(error)"
        case .ended(let input, .deadline): "the deadline passed before input \(input) was done; allow more time"
        case .ended(let input, _): "input \(input) was taken back before it was done"
        }
    }
}
