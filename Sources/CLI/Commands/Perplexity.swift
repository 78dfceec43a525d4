internal import Apus
internal import ArgumentParser
internal import Evaluation
internal import Foundation

struct Perplexity: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures how surprised a model is by a text.",
        discussion: """
            The text is read in overlapping windows; each token is scored once. The window is the model's context, at most
            1,024 tokens unless --context says otherwise; windows begin --stride tokens apart (512 by default).
            Figures with another window or stride are other figures: compare like with like.
            """)

    @Argument(help: "A GGUF file, a folder or a built-in model.") var model: String
    @Argument(help: "A text file in UTF-8, or - for standard input.") var file: String
    @Option(help: ArgumentHelp("Tokens from one window's beginning to the next.", valueName: "n")) var stride: Int?
    @OptionGroup(title: "Machine") var engine: EngineOptions
    @Flag(help: "Print one JSON object: perplexity, tokens (scored), bytes, stderr, window, stride.") var json = false

    func validate() throws {
        if let stride, stride < 1 { throw ValidationError("--stride is \(stride); it must be at least 1.") }
        if let context = engine.context, context < 2 {
            throw ValidationError("--context is \(context); a window needs at least 2 tokens.")
        }
    }

    func run() async throws {
        let data = try Console.read(file)
        let text = try Console.text(data, of: file == "-" ? "standard input" : file)
        let language = try LanguageModel.load(model, configuration: try engine.configuration(sequences: 4))
        engine.noteContext(language.shape)
        let window = min(engine.context ?? 1024, language.shape.context)
        let step = stride ?? min(512, window)
        guard step <= window else {
            throw ValidationError("--stride is \(step); it must be at most the window of \(window) tokens.")
        }
        let tokens = language.tokens(of: text)
        let meter = ProgressMeter(total: max(tokens.count - 1, 1), unit: "tokens")
        let result = try await Evaluation.Perplexity.measure(language, tokens: tokens, window: window, stride: step) {
            meter.report($0)
        }
        meter.end()
        if json {
            let report = Report(
                bytes: data.count, perplexity: result.value, stderr: result.standardError, stride: step,
                tokens: result.tokens, window: window)
            Console.write(try Console.json(report) + "\n")
        } else {
            Console.write(String(format: "perplexity %.4f ± %.4f\n", result.value, result.standardError))
            let perByte = result.surprise / Double(max(data.count, 1)) / 0.6931471805599453
            Console.write(
                String(
                    format: "%d tokens scored of %d bytes, %.4f bits a byte, windows of %d every %d\n", result.tokens,
                    data.count, perByte, window, step))
        }
    }

    private struct Report: Encodable {
        var bytes: Int
        var perplexity: Double
        var stderr: Double
        var stride: Int
        var tokens: Int
        var window: Int
    }
}
