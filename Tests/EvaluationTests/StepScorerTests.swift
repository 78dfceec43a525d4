import Apus
import Checkpoints
import Evaluation
import Foundation
import Inference
import Models
import TestKit
import Testing

/// Scores of steps, against the network stepped by hand and the trainer's own.
@Suite struct StepScorerTests {
    static let models = Goldens.folder.deletingLastPathComponent().appendingPathComponent("Models")
    static let reward = StepReward(good: 11, bad: 12, newline: 214, end: 1)
    /// As the arithmetic models have it: one special token opens a turn and one ends it.
    static let template =
        "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"

    /// Our small model in a folder of its own with a chat template, and with how it scores if that is wanted.
    private static func model(_ reward: String?, _ configuration: EngineConfiguration = EngineConfiguration()) throws
        -> (model: LanguageModel, folder: URL)
    {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("apus-steps-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let source = models.appendingPathComponent("stories-draft")
        for name in ["model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
            try FileManager.default.createSymbolicLink(
                at: folder.appendingPathComponent(name), withDestinationURL: source.appendingPathComponent(name))
        }
        var config = try String(contentsOf: source.appendingPathComponent("config.json"), encoding: .utf8)
        if let reward { config = config.replacing("{", with: "{\"apus_step_reward\": \(reward),", maxReplacements: 1) }
        try Data(config.utf8).write(to: folder.appendingPathComponent("config.json"))
        try Data(template.utf8).write(to: folder.appendingPathComponent("chat_template.jinja"))
        return (try LanguageModel.load(folder.path, configuration: configuration), folder)
    }

    @Test func scoresAreTwoScoresOfTheNetwork() async throws {
        var configuration = EngineConfiguration()
        configuration.pageSize = 16
        let (model, folder) = try Self.model(#"{"good": 11, "bad": 12, "newline": 214, "end": 1}"#, configuration)
        defer { try? FileManager.default.removeItem(at: folder) }
        let scorer = try StepScorer(model)
        #expect(scorer.reward == Self.reward)
        let problems = Array(SumsGenerator(seed: 5, split: .test).problems(levels: [2, 4, 6]).prefix(9))
        let pairs = problems.map { (question: $0.question, solution: $0.solution) }
        let all = try await scorer.scores(pairs)
        for (pair, scores) in zip(pairs, all) {
            let scores = try #require(scores)
            // One sequence through the network at once, without the engine.
            let text = "<|user|>\(pair.question)<|end|><|assistant|>\(pair.solution)<|end|>"
            let tokens = [Int32(0)] + model.tokenizer.encode(text, special: true, addSpecialTokens: false)
            let runner = ModelRunner(model.engine.model, rows: tokens.count)
            let sequence = runner.sequence(tokens, length: tokens.count + 1)
            let rows = runner.step([(sequence, tokens.count)])[0]
            let start = try #require(tokens.lastIndex(of: 5))
            let places = tokens.indices.filter { $0 > start && (tokens[$0] == 214 || tokens[$0] == 1) }
            #expect(places.count == pair.solution.split(separator: "\n").count && scores.count == places.count)
            for (place, score) in zip(places, scores) {
                let (good, bad) = (Double(rows[place][11]), Double(rows[place][12]))
                #expect(abs(score - 1 / (1 + exp(bad - good))) < 1e-5)
            }
            #expect(try await scorer.scores(question: pair.question, solution: pair.solution) == scores)
        }
        // An empty line ends no step.
        #expect(try await scorer.scores(question: "What is 1 + 1?", solution: "1. 1 + 1 = 2\n \nanswer: 2") == nil)
    }

    @Test func modelsThatDoNotScoreAreRefused() throws {
        let (plain, folder) = try Self.model(nil)
        defer { try? FileManager.default.removeItem(at: folder) }
        #expect(throws: EvaluationError.noStepReward(model: plain.name)) { try StepScorer(plain) }
        for reward in [#"{"good": 11}"#, #"{"good": 11, "bad": 4096, "newline": 214, "end": 1}"#] {
            let (damaged, folder) = try Self.model(reward)
            defer { try? FileManager.default.removeItem(at: folder) }
            #expect(throws: CheckpointError.self) { try StepScorer(damaged) }
        }
        let bare = try LanguageModel.load(Self.models.appendingPathComponent("stories-draft").path)
        #expect(throws: MissingTemplate.self) { try StepScorer(bare, Self.reward) }
    }

    @Test func figuresCountPlaces() throws {
        let checker = try SolutionChecker(plan: [IntegerOperation(2, .plus, 3), IntegerOperation(5, .times, 4)])
        func scored(_ group: String, _ solution: String, _ scores: [Double]) -> ScoredSolution {
            ScoredSolution(group: group, verdict: checker.check(solution), scores: scores)
        }
        let figures = StepFigures([
            scored("1", "1. 2 + 3 = 5\n2. 5 * 4 = 20\nanswer: 20", [0.9, 0.6, 0.8]),
            scored("1", "1. 2 + 3 = 6\n2. 6 * 4 = 24\nanswer: 24", [0.7, 0.1, 0.2]),
            // Cut before its answer: its last line is not right.
            scored("2", "1. 2 + 3 = 5\n2. 5 * 4 = 20", [0.5, 0.65]),
        ])
        // Right 0.9, 0.6, 0.8, 0.5; wrong 0.7, 0.1, 0.2, 0.65: of 16 pairs 0.6 and 0.5 lose to 0.7 and 0.65.
        #expect(figures.places == 8 && figures.solutions == 3 && figures.rightShare == 0.5)
        #expect(figures.area == 12.0 / 16)
        // Up to the first mistake: wrong are 0.7 and 0.65.
        #expect(figures.areaToFirstMistake == 4.0 / 8)
        #expect(figures.areaOfSolutions == 1)
        #expect(StepFigures([]).area == nil)
    }

    private struct Golden: Decodable {
        struct Solution: Decodable {
            var ids: [Int32]
            var at: [Int]
            var scores: [Double]
        }
        var solutions: [Solution]
    }

    static let trained = models.appendingPathComponent("sums-prm/golden.json")

    /// Skipped until the model is there.
    @Test(.enabled(if: FileManager.default.fileExists(atPath: trained.path)))
    func scoresAreTheTrainers() async throws {
        let golden = try JSONDecoder().decode(Golden.self, from: Data(contentsOf: Self.trained))
        let scorer = try StepScorer(
            try LanguageModel.load(Self.trained.deletingLastPathComponent().path))
        #expect(!golden.solutions.isEmpty)
        for solution in golden.solutions {
            let scores = try await scorer.scores(tokens: solution.ids, places: solution.at)
            for (score, wanted) in zip(scores, solution.scores) { #expect(abs(score - wanted) < 2e-3) }
            #expect(scores.count == solution.scores.count)
        }
    }
}
