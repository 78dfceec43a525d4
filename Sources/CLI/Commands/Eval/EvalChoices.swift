internal import Apus
internal import ArgumentParser
internal import Checkpoints
internal import Evaluation
internal import Foundation

/// `apus eval choices`: multiple choice by log-likelihood.
struct EvalChoices: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "choices",
        abstract: "Multiple choice: of several continuations the likeliest.",
        discussion: """
            A FILE has one JSON object a line: "question", a text; "choices", a list of texts; "answer", the index of the right one from
            0, its text, or its letter (A for the first); and, if wanted, "beginning", what every choice goes on from in the
            answer, and "group", what it is counted under. A choice is joined by a space, unless there is white space already.

            The chosen one has the largest sum of its tokens' log-probabilities; normalised, the largest sum divided by the
            bytes of its text. Intervals are Wilson's at 95 %.

            Built-in tasks: \(ChoiceTasks.all.map { "\(type(of: $0).name), \(type(of: $0).summary)" }.joined(separator: "; ")).
            """)

    @Argument(help: ArgumentHelp("A file of questions, - for standard input, or a built-in task.", valueName: "file"))
    var file: String
    @Option(help: "A GGUF file, a folder or a built-in model.") var model = BuiltInModels.standard
    @Option(
        name: [.customShort("n"), .customLong("count")], parsing: .unconditional,
        help: ArgumentHelp("How many questions; by default all of a file and 500 of a built-in task.", valueName: "n"))
    var count: Int?
    @Option(parsing: .unconditional, help: ArgumentHelp("Which questions of a built-in task.", valueName: "s"))
    var seed: UInt64 = 0
    @Flag(
        help: """
            Ask the questions of a file: as a turn of a conversation where the model has a chat template, else after \
            "Question:" and before "Answer:". By default a choice goes on from the question's text.
            """) var ask = false
    @Option(
        help: ArgumentHelp(
            "Write every question with its log-likelihoods to a file, one JSON object a line that this command reads again.",
            valueName: "file"))
    var save: String?
    @OptionGroup(title: "Machine") var engine: EngineOptions
    @Flag(
        help: "Print one JSON object: accuracy and accuracy_normalised with their intervals at 95 %, chance, also by group.")
    var json = false

    func validate() throws {
        if let count, count < 1 { throw ValidationError("--count is \(count); it must be at least 1.") }
    }

    func run() throws {
        let output = try save.map { try AtomicFile(path: $0) }
        let (questions, style, groupedBy) = try questions()
        let compared = try ComparedModel(model)
        engine.noteContext(compared.shape)
        let meter = ProgressMeter(total: questions.count, unit: "questions")
        let run = try ChoiceRun.measure(
            compared, questions: questions, style: style, configuration: try engine.configuration()
        ) { meter.report($0) }
        meter.end()
        if let output {
            for answered in run.answered {
                let line = Saved(
                    question: answered.question.question, beginning: answered.question.beginning,
                    choices: answered.question.choices, answer: answered.question.answer,
                    group: answered.question.group, log_likelihoods: answered.logLikelihoods,
                    chosen: answered.chosen, chosen_normalised: answered.chosenNormalised)
                let bytes = Array((try Console.json(line) + "\n").utf8)
                try bytes.withUnsafeBytes { try output.append($0) }
            }
            try output.commit()
        }
        let report = Report(file, model, groupedBy, run)
        Console.write(json ? try Console.json(report, pretty: true) + "\n" : report.text)
    }

    private func questions() throws -> (questions: [ChoiceQuestion], style: ChoiceStyle, groupedBy: String) {
        if let task = ChoiceTasks.named(file, seed: seed) {
            return (task.questions(count ?? 500), task.style, type(of: task).groupedBy)
        }
        guard file == "-" || FileManager.default.fileExists(atPath: file) else {
            throw EvaluationError.noSuchChoices(name: file)
        }
        let all = try ChoiceFile.questions(
            try Console.read(file), file: file == "-" ? "standard input" : file)
        return (Array(all.prefix(count ?? all.count)), ask ? .answer : .continuation, "group")
    }

    /// A line of `--save`.
    private struct Saved: Encodable {
        var question: String
        var beginning: String
        var choices: [String]
        var answer: Int
        var group: String
        var log_likelihoods: [Double]
        var chosen: Int
        var chosen_normalised: Int
    }

    private struct Figures: Encodable {
        var n: Int
        var accuracy: Double
        var accuracy_interval: [Double]
        var accuracy_normalised: Double
        var accuracy_normalised_interval: [Double]
        var chance: Double

        init(_ figures: ChoiceRun.Figures) {
            n = figures.questions
            accuracy = figures.accuracy
            accuracy_interval = [figures.interval.lowerBound, figures.interval.upperBound]
            accuracy_normalised = figures.accuracyNormalised
            accuracy_normalised_interval = [
                figures.intervalNormalised.lowerBound, figures.intervalNormalised.upperBound,
            ]
            chance = figures.chance
        }
    }

    private struct Report: Encodable {
        var task: String
        var model: String
        var grouped_by: String
        var all: Figures
        var by_group: [String: Figures]

        init(_ task: String, _ model: String, _ groupedBy: String, _ run: ChoiceRun) {
            self.task = task
            self.model = model
            grouped_by = groupedBy
            all = Figures(run.figures)
            let groups = run.figuresByGroup
            by_group =
                groups.count > 1
                ? Dictionary(uniqueKeysWithValues: groups.map { ($0.group, Figures($0.figures)) }) : [:]
        }

        /// The figures of all questions stand at the top.
        func encode(to encoder: any Encoder) throws {
            var keyed = encoder.container(keyedBy: CodingKeys.self)
            try keyed.encode(task, forKey: .task)
            try keyed.encode(model, forKey: .model)
            try keyed.encode(grouped_by, forKey: .grouped_by)
            try keyed.encode(by_group, forKey: .by_group)
            try all.encode(to: encoder)
        }

        enum CodingKeys: String, CodingKey { case task, model, grouped_by, by_group }

        var text: String {
            func cell(_ share: Double, _ ends: [Double]) -> String {
                String(format: "%.1f %% (%.1f to %.1f)", 100 * share, 100 * ends[0], 100 * ends[1])
            }
            func row(_ name: String, _ figures: Figures) -> [String] {
                [
                    name, cell(figures.accuracy, figures.accuracy_interval),
                    cell(figures.accuracy_normalised, figures.accuracy_normalised_interval),
                    String(format: "%.1f %%", 100 * figures.chance), "\(figures.n)",
                ]
            }
            let groups = by_group.sorted { $0.key < $1.key }.map { row("  \(grouped_by) \($0.key)", $0.value) }
            return TextTable(
                head: ["", "right", "normalised", "chance", "questions"], rows: [row("all", all)] + groups
            ).text
        }
    }
}
