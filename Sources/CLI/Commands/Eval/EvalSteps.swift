internal import Apus
internal import ArgumentParser
internal import Evaluation
internal import Foundation

struct EvalSteps: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "steps",
        abstract: "Process rewards: how well a model tells right steps of arithmetic from wrong ones.",
        discussion: """
            --solver answers test problems of apus eval sums several times each; an exact checker labels every line of its
            answers; --model scores every line, knowing only what stands before it. auc is how likely a right line's score is
            above a wrong one's: over all lines, over lines up to the first wrong one, and over last lines. best_of_k is how often
            the answer whose last line scores highest is right, beside accuracy and majority_at_k of the same answers.
            """)

    @Option(help: "The process reward model: a folder whose config.json has apus_step_reward, or a built-in model.")
    var model = "builtin:sums-prm"
    @Option(help: "The model whose answers are scored.") var solver = "builtin:sums"
    @Option(
        name: [.customShort("n"), .customLong("count")], parsing: .unconditional,
        help: ArgumentHelp("How many questions.", valueName: "n"))
    var count = 100
    @Option(parsing: .unconditional, help: ArgumentHelp("Answers to each question.", valueName: "k")) var samples = 4
    @Option(parsing: .unconditional, help: ArgumentHelp("Temperature of the answers.", valueName: "t"))
    var temperature: Float = 1
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Where the questions and the randomness of the answers come from.", valueName: "s"))
    var seed: UInt64 = 0
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("A level from 1 to 6, a range such as 4-6, or a list that takes turns.", valueName: "levels")
    )
    var level: LevelsArgument = LevelsArgument(argument: "4-6")!
    @OptionGroup(title: "Machine") var engine: EngineOptions
    @Flag(help: "Print one JSON object.") var json = false

    func validate() throws {
        for (flag, value) in [("count", count), ("samples", samples)] where value < 1 {
            throw ValidationError("--\(flag) is \(value); it must be at least 1.")
        }
        guard (1e-6...1e6).contains(temperature) else {
            throw ValidationError("--temperature is \(temperature); it must lie in 0.000001...1000000.")
        }
    }

    func run() async throws {
        var configuration = try engine.configuration(sequences: 32)
        // Every line asks again for what stands before it: short pages leave little to compute anew.
        configuration.pageSize = 16
        let scorer = try StepScorer(try LanguageModel.load(model, configuration: configuration))
        let solver = try LanguageModel.load(solver, configuration: try engine.configuration(sequences: 32))
        var settings = TaskSettings()
        settings.samples = samples
        settings.temperature = temperature
        settings.seed = seed
        let task = SumsTask(levels: level.levels, seed: seed)
        let answering = ProgressMeter(total: count * samples, unit: "answers")
        let run = try await TaskRun.measure(solver, task: task, count: count, settings: settings) {
            answering.report($0)
        }
        answering.end()
        let problems = task.problems(count)
        let scoring = ProgressMeter(total: count * samples, unit: "answers scored")
        let scored = try await Self.score(run, problems, scorer) { scoring.report($0) }
        scoring.end()
        let report = Report(model: model, solver: self.solver, run: run, scored: scored)
        Console.write(json ? try Console.json(report, pretty: true) + "\n" : report.text)
    }

    /// Every answer's score, by question and sample; nil where it cannot be scored.
    private static func score(
        _ run: TaskRun, _ problems: [SumsProblem], _ scorer: StepScorer, progress: @Sendable (Int) -> Void
    ) async throws -> [[ScoredSolution?]] {
        let answers = zip(problems, run.answered).flatMap { problem, answered in
            answered.samples.map { (question: problem.question, solution: $0.text) }
        }
        var scores = try await scorer.scores(answers, progress: progress)[...]
        return zip(problems, run.answered).map { problem, answered in
            let checker = SolutionChecker(problem)
            return answered.samples.map { sample in
                guard let lines = scores.removeFirst(), !lines.isEmpty else { return nil }
                return ScoredSolution(group: "\(problem.level)", verdict: checker.check(sample.text), scores: lines)
            }
        }
    }

    private struct Report: Encodable {
        struct Figures: Encodable {
            var solutions: Int
            var lines: Int
            /// The share of lines that are right so far.
            var right: Double
            var auc: Double?
            var auc_to_first_mistake: Double?
            var auc_of_solutions: Double?

            init(_ figures: StepFigures) {
                solutions = figures.solutions
                lines = figures.places
                right = figures.rightShare
                auc = figures.area
                auc_to_first_mistake = figures.areaToFirstMistake
                auc_of_solutions = figures.areaOfSolutions
            }
        }

        var model: String
        var solver: String
        var questions: Int
        var samples: Int
        var temperature: Float
        var seed: UInt64
        var all: Figures
        var by_level: [String: Figures]
        /// Answers whose lines cannot be told apart by tokens.
        var unscored: Int
        var accuracy: Double
        var majority_at_k: Double
        var best_of_k: Double

        init(model: String, solver: String, run: TaskRun, scored: [[ScoredSolution?]]) {
            self.model = model
            self.solver = solver
            questions = run.answered.count
            samples = run.settings.samples
            temperature = run.settings.temperature
            seed = run.settings.seed
            let all = scored.joined().compactMap(\.self)
            self.all = Figures(StepFigures(all))
            by_level = Dictionary(grouping: all, by: \.group).mapValues { Figures(StepFigures($0)) }
            unscored = questions * samples - all.count
            accuracy = run.figures.accuracy
            majority_at_k = run.figures.majorityAtK[samples] ?? accuracy
            let best = scored.count { row in
                let solutions = row.compactMap(\.self)
                return solutions.max { $0.scores.last! < $1.scores.last! }?.verdict.isAnswerRight ?? false
            }
            best_of_k = Double(best) / Double(questions)
        }

        var text: String {
            func area(_ value: Double?) -> String { value.map { String(format: "%.4f", $0) } ?? "none" }
            func line(_ name: String, _ figures: Figures) -> String {
                String(
                    format:
                        "%@auc %@   to the first mistake %@   of solutions %@   (%d lines, %.1f %% right, %d solutions)\n",
                    name.padding(toLength: 10, withPad: " ", startingAt: 0), area(figures.auc),
                    area(figures.auc_to_first_mistake), area(figures.auc_of_solutions), figures.lines,
                    100 * figures.right, figures.solutions)
            }
            var text = line("all", all)
            for (level, figures) in by_level.sorted(by: { $0.key < $1.key }) { text += line("level \(level)", figures) }
            text += String(
                format:
                    "of %d answers to each of %d questions: accuracy %.1f %%, majority %.1f %%, best by score %.1f %%",
                samples, questions, 100 * accuracy, 100 * majority_at_k, 100 * best_of_k)
            return text + (unscored > 0 ? "; \(unscored) answers could not be scored\n" : "\n")
        }
    }
}
