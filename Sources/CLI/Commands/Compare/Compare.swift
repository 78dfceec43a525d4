internal import Apus
internal import ArgumentParser
internal import Benchmarking
internal import Checkpoints
internal import Evaluation
internal import Foundation
internal import Inference

/// `apus compare`: what a smaller model lost and won.
struct Compare: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows what smaller models lost against the one they came from, and what they won.",
        discussion: """
            apus compare model/ model-q8.gguf model-q4/ --text held-out.txt --svg front.svg

            All models read the same text; every model's distribution is compared with the base's at each token: KL divergence in
            nats (mean, median, 99th percentile, largest), whether the likeliest token is the same, and at each of
            --temperatures the divergence and whether a draw with equal noise gives the same token. Perplexity is that of
            `apus perplexity` with the same window and stride. ± is one standard error, from blocks of successive tokens; a ratio
            of perplexities is taken token by token, so the text's own difficulty cancels.

            Take a text that no model was calibrated or trained on. Tasks: \(ChoiceTasks.all.map { type(of: $0).name }.joined(separator: ", ")), \(SumsTask.name), or a
            file of questions as `apus eval choices` reads it. Rates are medians of rounds in which the models take turns.
            bpw is bits of all tensors over the base's parameters. Memory is weights, working memory and the cache of one window.
            """)

    @Argument(help: ArgumentHelp("The base: a GGUF file, a folder or a built-in model.", valueName: "base"))
    var base: String
    @Argument(help: ArgumentHelp("Models to compare with it.", valueName: "model")) var models: [String] = []
    @Option(help: ArgumentHelp("A text file in UTF-8, or - for standard input.", valueName: "file")) var text: String
    @Option(help: ArgumentHelp("Tokens from one window's beginning to the next.", valueName: "n")) var stride: Int?
    @Option(
        help: ArgumentHelp("Temperatures to compare at besides 1, or none.", valueName: "list"))
    var temperatures = "0.5,0.8,1.2"
    @Option(help: ArgumentHelp("Tasks to measure, with commas between, or none.", valueName: "list"))
    var tasks = "sum-choices,story-choices"
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Questions of each built-in task.", valueName: "n")) var questions = 200
    @Option(parsing: .unconditional, help: ArgumentHelp("Where questions and draws come from.", valueName: "s"))
    var seed: UInt64 = 0
    @Flag(help: "Do not measure rates.") var noSpeed = false
    @Option(help: ArgumentHelp("Draw size against divergence into an SVG file.", valueName: "file")) var svg: String?
    @OptionGroup(title: "Machine") var engine: EngineOptions
    @Flag(
        help: """
            Print a list of objects, the base first: model, bytes, bpw, perplexity, kl, top1, prefill, decode, and more beside.
            """) var json = false

    func validate() throws {
        if models.isEmpty { throw ValidationError("Name the base and at least one model to compare with it.") }
        if let stride, stride < 1 { throw ValidationError("--stride is \(stride); it must be at least 1.") }
        if questions < 1 { throw ValidationError("--questions is \(questions); it must be at least 1.") }
        if let context = engine.context, context < 2 {
            throw ValidationError("--context is \(context); a window needs at least 2 tokens.")
        }
        _ = try temperatureList()
    }

    func run() async throws {
        let started = try svg.map { try AtomicFile(path: $0) }
        let data = try Console.read(text)
        let content = try Console.text(data, of: text == "-" ? "standard input" : text)
        let names = [base] + models
        let opened = try names.map { try ComparedModel($0) }
        let configuration = try engine.configuration()
        var settings = DivergenceRun.Settings()
        let context = opened.map(\.shape.context).min()!
        settings.window = min(engine.context ?? 1024, context)
        settings.stride = stride ?? min(512, settings.window)
        guard settings.stride <= settings.window else {
            throw ValidationError(
                "--stride is \(settings.stride); it must be at most the window of \(settings.window) tokens.")
        }
        settings.temperatures = try temperatureList()
        settings.seed = seed
        let wanted = try ComparisonTask.parse(tasks, count: questions, seed: seed)

        let meter = ProgressMeter(total: 1, unit: "tokens")
        let run = try DivergenceRun.measure(
            base: opened[0], others: Array(opened[1...]), text: content, settings: settings,
            configuration: configuration
        ) { meter.report($0, of: $1) }
        meter.end()
        var scores: [[ComparisonTask.Score]] = names.map { _ in [] }
        for task in wanted {
            for (index, model) in opened.enumerated() {
                scores[index].append(
                    try await task.measure(
                        model, configuration: configuration, base: scores[0].first { $0.task == task.name }))
            }
        }
        let rates = noSpeed ? nil : try ComparisonRates.measure(opened, configuration: configuration)
        let report = try CompareReport(
            opened, run, scores: scores, rates: rates, settings: settings, configuration: configuration)
        if let started, let svg {
            let picture = ParetoPlot(
                report.figures, title: "\(report.figures[0].label) and what was made of it, on \(run.tokens) tokens").svg
            do { try Array(picture.utf8).withUnsafeBytes { try started.append($0) } } catch {
                throw InputError(file: svg, reason: "\(error)")
            }
            try started.commit()
        }
        Console.write(json ? try Console.json(report.rows, pretty: true) + "\n" : report.text)
    }

    private func temperatureList() throws -> [Float] {
        if temperatures == "none" || temperatures.isEmpty { return [] }
        return try temperatures.split(separator: ",", omittingEmptySubsequences: false).map {
            guard let value = Float($0), (0.01...100).contains(value) else {
                throw ValidationError(
                    "--temperatures has '\($0)'; give numbers from 0.01 to 100 with commas between, or none.")
            }
            return value
        }
    }
}
