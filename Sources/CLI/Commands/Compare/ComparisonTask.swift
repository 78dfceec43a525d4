internal import Apus
internal import ArgumentParser
internal import Evaluation
internal import Foundation
internal import Inference

/// A task that the models of a comparison are measured on.
struct ComparisonTask {
    enum Kind {
        case choices([ChoiceQuestion], ChoiceStyle)
        case sums(count: Int, seed: UInt64)
    }

    let name: String
    let kind: Kind

    /// A model's result.
    struct Score {
        let task: String
        let accuracy: Double
        let interval: ClosedRange<Double>
        /// By log-likelihood a byte; nil for tasks that are no choices.
        let normalised: Double?
        /// Questions that the base has right and this model wrong, and the other way round; nil for the base.
        let lost: Int?
        let won: Int?
        /// Which questions are right.
        let right: [Bool]
    }

    /// - Parameters:
    ///   - list: names with commas between, or `none`.
    ///   - count: questions of a built-in task.
    static func parse(_ list: String, count: Int, seed: UInt64) throws -> [ComparisonTask] {
        if list == "none" || list.isEmpty { return [] }
        return try list.split(separator: ",").map { part in
            let name = String(part)
            if name == SumsTask.name { return ComparisonTask(name: name, kind: .sums(count: count, seed: seed)) }
            if let task = ChoiceTasks.named(name, seed: seed) {
                return ComparisonTask(name: name, kind: .choices(task.questions(count), task.style))
            }
            guard FileManager.default.fileExists(atPath: name) else {
                let names = ChoiceTasks.all.map { type(of: $0).name } + [SumsTask.name]
                throw ValidationError(
                    "--tasks has '\(name)', which is no file and none of \(names.joined(separator: ", ")).")
            }
            return ComparisonTask(
                name: name, kind: .choices(try ChoiceFile.questions(try Console.read(name), file: name), .continuation))
        }
    }

    /// - Parameter base: the base's score on this task; nil for the base itself.
    func measure(_ model: ComparedModel, configuration: EngineConfiguration, base: Score?) async throws -> Score {
        switch kind {
        case .choices(let questions, let style):
            let meter = ProgressMeter(total: questions.count, unit: "questions")
            let run = try ChoiceRun.measure(
                model, questions: questions, style: style, configuration: configuration
            ) { meter.report($0) }
            meter.end()
            return score(
                run.figures.accuracy, run.figures.interval, normalised: run.figures.accuracyNormalised,
                right: run.answered.map(\.isRight), base)
        case .sums(let count, let seed):
            var configuration = configuration
            configuration.maximumRunning = 32
            let language = try LanguageModel.load(model.name, configuration: configuration)
            var settings = TaskSettings()
            settings.seed = seed
            let meter = ProgressMeter(total: count, unit: "answers")
            let run = try await TaskRun.measure(
                language, task: SumsTask(seed: seed), count: count, settings: settings
            ) { meter.report($0) }
            meter.end()
            return score(
                run.figures.accuracy, run.figures.interval, normalised: nil, right: run.answered.map { $0.right > 0 },
                base)
        }
    }

    private func score(
        _ accuracy: Double, _ interval: ClosedRange<Double>, normalised: Double?, right: [Bool], _ base: Score?
    ) -> Score {
        Score(
            task: name, accuracy: accuracy, interval: interval, normalised: normalised,
            lost: base.map { zip($0.right, right).count { $0 && !$1 } },
            won: base.map { zip($0.right, right).count { !$0 && $1 } }, right: right)
    }
}
