public import Apus
internal import Checkpoints
public import Inference
public import Models
public import Text

/// A model that takes part in a comparison: its files, tokenizer and sizes. Its network is loaded when it is measured.
public struct ComparedModel: Sendable {
    /// The name it was given under.
    public let name: String
    public let files: ModelFiles
    public internal(set) var shape: ModelShape
    public let tokenizer: Tokenizer

    /// Opens a model; no weight is read.
    ///
    /// - Parameter name: a GGUF file, a Hugging Face folder, or a built-in model.
    /// - Throws: `CheckpointError`.
    public init(_ name: String) throws {
        self.name = name
        files = try ModelFiles(name)
        shape = try files.shape()
        tokenizer = try files.tokenizer()
    }

    /// Bytes of all of its tensors in its files: neither header nor tokenizer.
    public var weightBytes: Int { files.checkpoint.weightBytes }

    /// Tokens of a text to be continued, with what the tokenizer puts at its beginning.
    public func tokens(of text: String) -> [Int32] {
        tokenizer.encode(text, special: false, addSpecialTokens: true)
    }

    /// Bytes that its network takes while one sequence of `positions` tokens runs through the engine: weights, working memory,
    /// and keys and values.
    public func runningBytes(positions: Int, configuration: EngineConfiguration) throws(EngineError) -> Int {
        var configuration = configuration
        configuration.context = min(positions, shape.context)
        configuration.maximumRunning = 1
        configuration.cacheBytes = nil
        return try configuration.memoryPlan(shape).total
    }
}
