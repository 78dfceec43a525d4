import Apus
import Evaluation
import Foundation
import Inference
import TestKit
import Testing

/// Asking many questions at once, against asking one after the other by hand.
@Suite struct TaskRunTests {
    /// Names of birds; an answer votes with its first letter before u, and is right if that is one of four.
    struct Birds: EvaluationTask {
        static let name = "birds"
        static let summary = "for tests"
        static let birds = ["owl", "duck", "swift", "robin", "heron", "crow", "gull", "wren", "hawk", "owl"]

        func questions(_ count: Int) -> [TaskQuestion] {
            Self.birds.prefix(count).map { Self.question("The \($0) said") }
        }
        func examples(_ count: Int) -> [TaskQuestion] { (0..<count).map { Self.question("Example \($0)") } }

        static func question(_ text: String) -> TaskQuestion {
            TaskQuestion(text: text, solution: "yes", group: text.count < 13 ? "short" : "long") { judgement($0) }
        }

        static func judgement(_ answer: String) -> TaskJudgement {
            let letter = answer.lowercased().first { $0.isLetter && $0 < "u" }
            return TaskJudgement(isRight: letter.map { "hits".contains($0) } ?? false, vote: letter.map { "\($0)" })
        }
    }

    static func model(_ running: Int) throws -> LanguageModel {
        var configuration = EngineConfiguration()
        configuration.maximumRunning = running
        let folder = Goldens.folder.deletingLastPathComponent().appendingPathComponent("Models/stories-draft")
        return try LanguageModel.load(folder.path, configuration: configuration)
    }

    static func settings(_ samples: Int, _ temperature: Float) -> TaskSettings {
        var settings = TaskSettings()
        settings.samples = samples
        settings.temperature = temperature
        settings.maximumTokens = 12
        settings.seed = 4
        settings.shots = 1
        return settings
    }

    @Test func answersAreThoseOfEachQuestionAlone() async throws {
        let counts = Counts()
        let settings = Self.settings(3, 1)
        let wide = try await TaskRun.measure(Self.model(32), task: Birds(), count: 20, settings: settings) {
            counts.add($0)
        }
        // The task has fewer questions than were wanted; progress counts every answer once.
        #expect(wide.answered.map(\.question.text) == Birds.birds.map { "The \($0) said" })
        #expect(counts.all == Array(1...30))
        let narrow = try await TaskRun.measure(Self.model(2), task: Birds(), count: 10, settings: settings)
        #expect(wide.answered.map { $0.samples.map(\.text) } == narrow.answered.map { $0.samples.map(\.text) })
        // Samples differ, and so do the random numbers of different questions: the last asks what the first does.
        #expect(wide.answered[0].question.text == wide.answered[9].question.text)
        #expect(wide.answered[0].samples.map(\.text) != wide.answered[9].samples.map(\.text))
        #expect(wide.answered.allSatisfy { Set($0.samples.map(\.text)).count > 1 })
        for answered in wide.answered {
            for sample in answered.samples {
                #expect(sample.judgement == Birds.judgement(sample.text))
                #expect(sample.tokens <= 12 && sample.isCut == (sample.tokens == 12))
            }
        }
        var other = settings
        other.seed = 5
        let changed = try await TaskRun.measure(Self.model(32), task: Birds(), count: 10, settings: other)
        #expect(changed.answered.map { $0.samples.map(\.text) } != wide.answered.map { $0.samples.map(\.text) })
    }

    /// A model without a chat template continues plain text with examples before the question.
    @Test func greedyAnswersContinueThePrompt() async throws {
        let model = try Self.model(8)
        let run = try await TaskRun.measure(model, task: Birds(), count: 3, settings: Self.settings(1, 0))
        #expect(run.shots == 1)
        var standard = Self.settings(1, 0)
        standard.shots = nil
        #expect(
            try await TaskRun.measure(model, task: Birds(), count: 1, settings: standard).shots
                == TaskSettings.shotsWithoutTemplate)
        for (bird, answered) in zip(Birds.birds, run.answered) {
            var options = GenerationOptions(maximumTokens: 12, stop: ["\n\n"])
            options.sampling.temperature = 0
            var text = ""
            let prompt = "Question: Example 0\nAnswer:\nyes\n\nQuestion: The \(bird) said\nAnswer:\n"
            for try await event in try model.generate(prompt, options: options) {
                switch event {
                case .text(let piece): text += piece.text
                case .finished(let result): text += result.rest
                }
            }
            #expect(answered.samples.map(\.text) == [text])
        }
    }

    @Test func figuresAreThoseOfTheAnswers() async throws {
        let run = try await TaskRun.measure(Self.model(32), task: Birds(), count: 10, settings: Self.settings(6, 1))
        let figures = run.figures
        let samples = run.answered.flatMap(\.samples)
        #expect(abs(figures.accuracy - Double(samples.count(where: \.judgement.isRight)) / 60) < 1e-12)
        #expect(figures.interval.contains(figures.accuracy))
        #expect(figures.passAtK.keys.sorted() == [1, 2, 4, 6] && figures.majorityAtK.keys.sorted() == [1, 2, 4, 6])
        #expect(abs(figures.passAtK[1]! - figures.accuracy) < 1e-12)
        let atLeastOne = run.answered.count { $0.samples.contains(where: \.judgement.isRight) }
        #expect(abs(figures.passAtK[6]! - Double(atLeastOne) / 10) < 1e-12)
        for (k, share) in figures.majorityAtK {
            let rights = run.answered.count { answered in
                let votes = answered.samples.prefix(k).compactMap(\.judgement.vote)
                // The vote with the most voters; of equals the one that was cast first.
                let winner = votes.max { a, b in
                    let (first, second) = (votes.count { $0 == a }, votes.count { $0 == b })
                    return first != second ? first < second : votes.firstIndex(of: a)! > votes.firstIndex(of: b)!
                }
                return winner.map { "hits".contains($0) } ?? false
            }
            #expect(abs(share - Double(rights) / 10) < 1e-12)
        }
        // The figures say something only where right and wrong answers meet.
        #expect(run.answered.count { (1..<6).contains($0.right) } > 4)
        #expect(run.silent == samples.count { $0.judgement.vote == nil })
        #expect(run.figuresByGroup.map(\.group) == ["long", "short"])
        #expect(run.figuresByGroup.reduce(0) { $0 + $1.figures.questions } == 10)
        #expect(run.tokens == samples.reduce(0) { $0 + $1.tokens })
    }

    @Test func impossibleSettingsAreRefused() async throws {
        let model = try Self.model(2)
        await #expect(throws: EvaluationError.sameSamples(2)) {
            try await TaskRun.measure(model, task: Birds(), count: 1, settings: Self.settings(2, 0))
        }
        await #expect(throws: EvaluationError.nothingToMeasure(questions: 0, samples: 1)) {
            try await TaskRun.measure(model, task: Birds(), count: 0)
        }
        await #expect(throws: EngineError.self) {
            var settings = Self.settings(1, 0)
            settings.shots = 200
            _ = try await TaskRun.measure(model, task: Birds(), count: 2, settings: settings)
        }
    }

    @Test func sumsAsksTheHarderHalf() {
        let questions = SumsTask(seed: 2).questions(9)
        #expect(questions.map(\.group) == ["4", "5", "6", "4", "5", "6", "4", "5", "6"])
        for question in questions {
            #expect(question.judge(question.solution).isRight)
            #expect(!question.judge(question.solution + "1").isRight)
            #expect(question.judge("I do not know.") == TaskJudgement(isRight: false, vote: nil))
        }
        let examples = SumsTask(seed: 2).examples(50).map(\.text)
        #expect(examples.allSatisfy { SumsSplit(question: $0) == .train } && Set(examples).count == 50)
        #expect(SumsTask(seed: 2).questions(50).allSatisfy { SumsSplit(question: $0.text) == .test })
    }
}

private final class Counts: @unchecked Sendable {
    private let lock = NSLock()
    private var counts: [Int] = []
    func add(_ count: Int) { lock.withLock { counts.append(count) } }
    var all: [Int] { lock.withLock { counts } }
}
