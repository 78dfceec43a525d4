public import Checkpoints
public import Inference
public import Models
public import Text

/// A model ready to answer: its network, its tokenizer, its chat template and an engine that runs them.
///
/// ```swift
/// import Apus
///
/// let model = try LanguageModel.load("builtin:stories")
/// for try await event in try model.generate("Once upon a time") {
///     if case .text(let piece) = event { print(piece.text, terminator: "") }
/// }
/// ```
public final class LanguageModel: Sendable {
    /// The name it was loaded under.
    public let name: String
    public let checkpoint: Checkpoint
    public let tokenizer: Tokenizer
    /// The template of its conversations; nil where the model has none.
    public let template: ChatTemplate?
    public let engine: Engine
    /// Tokens that end an answer.
    public let endOfGeneration: [Int32]
    /// What the model's own files recommend for sampling.
    public let recommended: RecommendedSampling

    public var shape: ModelShape { engine.model.shape }

    /// Opens a model and starts an engine for it.
    ///
    /// - Parameters:
    ///   - name: a GGUF file, a Hugging Face folder, or a built-in model such as `builtin:stories`.
    ///   - configuration: how the engine uses the machine. A prefix store gets the model's identity here.
    ///   - announce: is told where memory will go before it is taken.
    /// - Throws: `CheckpointError`, `TemplateError` or `EngineError`, each one sentence long.
    /// - Complexity: O(bytes of weights), unless their panels are kept and there.
    public static func load(
        _ name: String, configuration: EngineConfiguration = EngineConfiguration(),
        announce: (MemoryPlan) -> Void = { _ in }
    ) throws -> LanguageModel {
        let files = try ModelFiles(name)
        var configuration = configuration
        let plan = try configuration.memoryPlan(try files.shape())
        announce(plan)
        configuration.cacheBytes = plan.cache
        let network = try files.network(
            threads: configuration.threads, panelFile: configuration.keepsPanels ? files.panelFile : nil)
        if configuration.prefixStore?.model == "" { configuration.prefixStore!.model = files.identity }
        return try LanguageModel(
            name: name, files: files, engine: try Engine(model: network, configuration: configuration))
    }

    private init(name: String, files: ModelFiles, engine: Engine) throws {
        self.name = name
        checkpoint = files.checkpoint
        tokenizer = try files.tokenizer()
        template = try files.template(tokenizer).map { try ChatTemplate($0) }
        endOfGeneration = try files.endOfGeneration(tokenizer)
        recommended = try files.recommendedSampling()
        self.engine = engine
        let rows = engine.model.shape.vocabulary
        guard tokenizer.vocabularySize <= rows || tokenizer.vocabularySize - rows < 1024 else {
            throw CheckpointError(
                file: checkpoint.name, field: "tokenizer",
                reason: "the tokenizer has \(tokenizer.vocabularySize) tokens and the model scores \(rows)")
        }
    }

    /// Tokens of a text to be continued, with what the tokenizer puts at its beginning. Special tokens written in the
    /// text are plain text.
    public func tokens(of text: String) -> [Int32] {
        tokenizer.encode(text, special: false, addSpecialTokens: true)
    }

    /// Tokens of a conversation, as the model's template writes it.
    ///
    /// - Throws: ``MissingTemplate`` where the model has none; `TemplateError` where the template refuses the
    ///   conversation.
    public func tokens(of messages: [ChatMessage]) throws -> [Int32] {
        guard let template else { throw MissingTemplate(model: name) }
        let text = try template.render(
            messages: messages.map(\.json), bosToken: tokenizer.bosToken, eosToken: tokenizer.eosToken)
        return tokenizer.encode(text, special: true, addSpecialTokens: false)
    }

    /// Continues a text.
    public func generate(
        _ text: String, options: GenerationOptions = GenerationOptions()
    ) throws -> AsyncThrowingStream<TextEvent, any Error> {
        try generate(tokens: tokens(of: text), options: options, continuesText: true)
    }

    /// Answers the last message of a conversation.
    public func chat(
        _ messages: [ChatMessage], options: GenerationOptions = GenerationOptions()
    ) throws -> AsyncThrowingStream<TextEvent, any Error> {
        try generate(tokens: tokens(of: messages), options: options)
    }

    /// Continues tokens.
    ///
    /// - Parameters:
    ///   - tokens: the prompt, at least one.
    ///   - options: how tokens are chosen, and how many.
    ///   - continuesText: whether the answer's text goes on from the prompt's, so that both in a row are the whole text;
    ///     else it is a text of its own, which for some tokenizers drops a space at its beginning.
    /// - Throws: `EngineError` where the request is refused; later errors end the stream.
    public func generate(
        tokens: [Int32], options: GenerationOptions = GenerationOptions(), continuesText: Bool = false
    ) throws -> AsyncThrowingStream<TextEvent, any Error> {
        var assembler = TextAssembler(tokenizer, stop: options.stop, after: continuesText ? tokens : [])
        let request = GenerationRequest(
            prompt: tokens, sampling: options.sampling, maximumTokens: options.maximumTokens, seed: options.seed,
            sampleIndex: options.sampleIndex,
            stop: options.stop.isEmpty ? nil : StopStrings(assembler))
        let events = try engine.submit(request, endOfGeneration: endOfGeneration)
        let (stream, continuation) = AsyncThrowingStream<TextEvent, any Error>.makeStream()
        let task = Task {
            do {
                for try await event in events {
                    switch event {
                    case .prompt: break
                    case .token(let token):
                        continuation.yield(.text(TextPiece(text: assembler.push(token.id), token: token)))
                    case .finished(let reason, let statistics):
                        continuation.yield(
                            .finished(
                                TextResult(
                                    rest: assembler.finish(), reason: reason, statistics: statistics)))
                    }
                }
                continuation.finish()
            } catch {
                continuation.finish(throwing: error)
            }
        }
        continuation.onTermination = { _ in task.cancel() }
        return stream
    }
}

/// A request that a model without a chat template cannot serve.
public struct MissingTemplate: Error, Sendable, CustomStringConvertible {
    public let model: String

    public init(model: String) { self.model = model }

    public var description: String {
        "\(model) has no chat template; continue plain text instead, or use a model tuned for conversation"
    }
}
