internal import Apus
internal import ArgumentParser
internal import Conversation
internal import Inference

struct Chat: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Holds a conversation.",
        discussion: """
            apus chat model.gguf                          on a terminal: /help lists the commands
            apus chat model.gguf --system "Answer in one sentence."
            printf 'Hello!\\nAnd then?\\n' | apus chat model.gguf --seed 7

            In a pipe each line is a message, and only the answers are printed; commands such as /save work there, and
            say what they say on standard error. The first error ends with exit code 1.
            """)

    @Argument(help: ArgumentHelp("A model with a chat template.", valueName: "model"))
    var model = BuiltInModels.standard
    @OptionGroup(title: "Sampling") var sampling: SamplingOptions
    @OptionGroup(title: "Machine") var engine: EngineOptions
    @OptionGroup(title: "Cache") var cache: CacheOptions
    @Option(help: ArgumentHelp("The system message.", valueName: "text")) var system: String?

    func run() async throws {
        let model = try cache.load(model, engine.configuration())
        guard model.template != nil else {
            throw ChatError(
                "\(model.name) has no chat template, so it cannot hold a conversation; continue a text with "
                    + "`apus run \(model.name)`, or name a model tuned for conversation.")
        }
        let vocabulary = SamplingVocabulary(
            size: model.shape.vocabulary,
            endOfGeneration: model.endOfGeneration.filter { $0 >= 0 && Int($0) < model.shape.vocabulary })
        let settings = try ChatSettings(try sampling.options(for: model), vocabulary: vocabulary)
        let session = ChatSession(model: model, transcript: Transcript(system: system), settings: settings)
        if Console.inputIsTerminal && Console.outputIsTerminal && Terminal.open() {
            await TerminalChat(session).run()
        } else {
            try await PipedChat(session).run()
        }
    }
}
