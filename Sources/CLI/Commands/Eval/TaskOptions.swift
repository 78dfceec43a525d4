internal import Apus
internal import ArgumentParser
internal import Checkpoints
internal import Evaluation
internal import Foundation

/// What every task is measured with, and how the result is told.
struct TaskOptions: ParsableArguments {
    @Option(help: "A GGUF file, a folder or a built-in model.") var model = "builtin:sums"
    @Option(
        name: [.customShort("n"), .customLong("count")], parsing: .unconditional,
        help: ArgumentHelp("How many questions.", valueName: "n"))
    var count = 500
    @Option(parsing: .unconditional, help: ArgumentHelp("Answers to each question.", valueName: "k")) var samples = 1
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "0 always takes the likeliest token; else answers are drawn from the model's whole distribution.",
            valueName: "t"))
    var temperature: Float = 0
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Where the questions and the randomness of the answers come from.", valueName: "s"))
    var seed: UInt64 = 0
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Solved examples before each question; by default 0 with a chat template, \(TaskSettings.shotsWithoutTemplate) without.",
            valueName: "n"))
    var shots: Int?
    @Option(parsing: .unconditional, help: ArgumentHelp("The most tokens of an answer.", valueName: "n"))
    var maxTokens = 512
    @Option(
        parsing: .unconditional, help: ArgumentHelp("Print the first wrong answers, this many.", valueName: "n"))
    var show = 0
    @Option(
        help: ArgumentHelp(
            "Write every answer to a file, one JSON object a line: question, group, sample, text, right.",
            valueName: "file"))
    var save: String?
    @OptionGroup(title: "Machine") var engine: EngineOptions
    @Flag(
        help:
            "Print one JSON object: accuracy with its interval at 95 %, also by group, and with --samples pass_at_k and majority_at_k."
    ) var json = false

    func validate() throws {
        for (flag, value, least) in [
            ("count", count, 1), ("samples", samples, 1), ("shots", shots ?? 0, 0), ("max-tokens", maxTokens, 1),
            ("show", show, 0),
        ] where value < least {
            throw ValidationError("--\(flag) is \(value); it must be at least \(least).")
        }
        guard temperature == 0 || (1e-6...1e6).contains(temperature) else {
            throw ValidationError("--temperature is \(temperature); it must be 0, or lie in 0.000001...1000000.")
        }
        if samples > 1 && temperature == 0 {
            throw ValidationError(
                "--samples is \(samples) at temperature 0, where all are the same; add --temperature 0.8.")
        }
    }

    /// Asks, counts and tells.
    ///
    /// - Parameter groupedBy: what the task's groups are.
    func measure(_ task: some EvaluationTask, groupedBy: String) async throws {
        let file = try save.map { try AtomicFile(path: $0) }
        let language = try LanguageModel.load(model, configuration: try engine.configuration(sequences: 32))
        engine.noteContext(language.shape)
        var settings = TaskSettings()
        settings.samples = samples
        settings.temperature = temperature
        settings.maximumTokens = maxTokens
        settings.seed = seed
        settings.shots = shots
        let meter = ProgressMeter(total: count * samples, unit: "answers")
        let started = ContinuousClock.now
        let run = try await TaskRun.measure(language, task: task, count: count, settings: settings) {
            meter.report($0)
        }
        meter.end()
        let elapsed = ContinuousClock.now - started
        let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) * 1e-18
        if let file { try Self.write(run, to: file) }
        let report = TaskReport(
            task: type(of: task).name, model: model, groupedBy: groupedBy, run: run, seconds: seconds,
            wrong: Self.wrong(run, show))
        Console.write(json ? try Console.json(report, pretty: true) + "\n" : report.text)
    }

    private static func write(_ run: TaskRun, to file: AtomicFile) throws {
        for answered in run.answered {
            for (index, sample) in answered.samples.enumerated() {
                let line = SavedAnswer(
                    question: answered.question.text, group: answered.question.group, sample: index, text: sample.text,
                    right: sample.judgement.isRight)
                let bytes = Array((try Console.json(line) + "\n").utf8)
                try bytes.withUnsafeBytes { try file.append($0) }
            }
        }
        try file.commit()
    }

    private static func wrong(_ run: TaskRun, _ count: Int) -> [TaskReport.Wrong] {
        let all = run.answered.lazy.flatMap { answered in
            answered.samples.lazy.filter { !$0.judgement.isRight }.map { sample in
                TaskReport.Wrong(
                    question: answered.question.text, answer: sample.text, solution: answered.question.solution)
            }
        }
        return Array(all.prefix(count))
    }
}

/// A line of `--save`.
private struct SavedAnswer: Encodable {
    var question: String
    var group: String
    var sample: Int
    var text: String
    var right: Bool
}
