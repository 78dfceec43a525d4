import Apus
import Evaluation
import Foundation
import Inference
import TestKit
import Testing

@testable import Evaluation

/// Divergences against figures that an independent implementation computed in float64.
@Suite struct DivergenceTests {
    struct Golden: Decodable {
        struct Case: Decodable {
            struct AtTemperature: Decodable {
                var temperature: Float
                var kl: Double
                var same_draw: Double
            }
            var window: Int
            var stride: Int
            var tokens: Int
            var base_perplexity: Double
            var perplexity: Double
            var kl: Double
            var median: Double
            var p99: Double
            var max: Double
            var top1: Double
            var temperatures: [AtTemperature]
        }
        var base: String
        var other: String
        var text: String
        var seed: UInt64
        var cases: [Case]
    }

    static let golden: Golden? = {
        let file = Bundle.module.bundleURL.appendingPathComponent("Goldens/divergence.json")
        return (try? Data(contentsOf: file)).flatMap { try? JSONDecoder().decode(Golden.self, from: $0) }
    }()

    static func model(_ name: String) throws -> ComparedModel {
        let models = Goldens.folder.deletingLastPathComponent().appendingPathComponent("Models")
        return try ComparedModel(models.appendingPathComponent(name).path)
    }

    static func configuration(threads: Int = 2) -> EngineConfiguration {
        var configuration = EngineConfiguration()
        configuration.threads = threads
        return configuration
    }

    @Test func agreesWithTheReference() throws {
        let golden = try #require(Self.golden)
        let (base, other) = (try Self.model(golden.base), try Self.model(golden.other))
        #expect(golden.cases.count == 2)
        for expected in golden.cases {
            var settings = DivergenceRun.Settings()
            (settings.window, settings.stride, settings.seed) = (expected.window, expected.stride, golden.seed)
            settings.temperatures = expected.temperatures.map(\.temperature)
            let run = try DivergenceRun.measure(
                base: base, others: [other], text: golden.text, settings: settings,
                configuration: Self.configuration())
            let found = run.divergences[0]
            func isNear(_ a: Double, _ b: Double) -> Bool { abs(a / b - 1) < 1e-5 }
            #expect(run.tokens == expected.tokens && found.tokens == expected.tokens)
            #expect(isNear(run.basePerplexity.value, expected.base_perplexity))
            #expect(isNear(found.perplexity.value, expected.perplexity))
            #expect(isNear(found.perplexityRatio.value, expected.perplexity / expected.base_perplexity))
            #expect(isNear(found.kl.value, expected.kl), "\(found.kl.value) and not \(expected.kl)")
            #expect(isNear(found.klMedian, expected.median) && isNear(found.kl99, expected.p99))
            #expect(isNear(found.klLargest, expected.max))
            #expect(abs(found.top1.value - expected.top1) < 1e-6)
            #expect(found.temperatures.count == expected.temperatures.count)
            for (a, b) in zip(found.temperatures, expected.temperatures) {
                #expect(a.temperature == b.temperature && isNear(a.kl, b.kl), "at \(a.temperature)")
                // A draw on the border of two tokens may fall to either side of it in float32: one place at most.
                #expect(abs(a.sameDraw - b.same_draw) < 1.5 / Double(expected.tokens))
            }
        }
    }

    @Test func aModelIsNotFarFromItself() throws {
        let golden = try #require(Self.golden)
        let model = try Self.model(golden.other)
        var settings = DivergenceRun.Settings()
        (settings.window, settings.stride) = (64, 64)
        let run = try DivergenceRun.measure(
            base: model, others: [model], text: golden.text, settings: settings, configuration: Self.configuration())
        let found = run.divergences[0]
        #expect(found.kl == Estimate(value: 0, standardError: 0) && found.klLargest == 0)
        #expect(found.top1.value == 1 && found.perplexity == run.basePerplexity && found.perplexityRatio.value == 1)
        #expect(found.temperatures.allSatisfy { $0.kl == 0 && $0.sameDraw == 1 })
    }

    /// Memory, threads and company change no bit: two models at once, one after the other, on one thread and on three.
    @Test func figuresDoNotDependOnTheMachine() throws {
        let golden = try #require(Self.golden)
        let (base, other) = (try Self.model(golden.base), try Self.model(golden.other))
        var settings = DivergenceRun.Settings()
        (settings.window, settings.stride) = (96, 48)
        func run(_ others: [ComparedModel], threads: Int, available: Int?) throws -> DivergenceRun {
            try DivergenceRun.measure(
                base: base, others: others, text: golden.text, settings: settings,
                configuration: Self.configuration(threads: threads), available: available)
        }
        let together = try run([other, base], threads: 3, available: 1 << 40)
        // The least memory that holds the base and the larger of the two: not both beside the base.
        var apart: DivergenceRun?
        var room = 8 << 20
        while apart == nil {
            do { apart = try run([other, base], threads: 1, available: room) } catch is EvaluationError {
                room += 4 << 20
            }
        }
        #expect(together.divergences == apart?.divergences && together.basePerplexity == apart?.basePerplexity)
        let alone = try run([other], threads: 2, available: nil)
        #expect(alone.divergences == [together.divergences[0]])
        #expect(throws: EvaluationError.self) { try run([other], threads: 1, available: base.weightBytes) }
    }

    /// The same definition as the perplexity of the engine.
    @Test func perplexityIsThatOfTheEngine() async throws {
        let golden = try #require(Self.golden)
        let model = try Self.model(golden.other)
        var settings = DivergenceRun.Settings()
        (settings.window, settings.stride) = (100, 40)
        let run = try DivergenceRun.measure(
            base: model, others: [model], text: golden.text, settings: settings, configuration: Self.configuration())
        let language = try LanguageModel.load(model.name, configuration: Self.configuration())
        let engine = try await Perplexity.measure(
            language, tokens: language.tokens(of: golden.text), window: 100, stride: 40)
        #expect(engine.tokens == run.tokens && abs(engine.value / run.basePerplexity.value - 1) < 1e-7)
    }

    @Test func refusals() throws {
        let golden = try #require(Self.golden)
        let base = try Self.model(golden.base)
        var tiny = base
        tiny.shape.vocabulary -= 1
        let settings = DivergenceRun.Settings()
        #expect(throws: EvaluationError.noModels) {
            try DivergenceRun.measure(
                base: base, others: [], text: "One day", settings: settings, configuration: Self.configuration())
        }
        #expect(
            throws: EvaluationError.differentVocabulary(
                model: tiny.name, tokens: tiny.shape.vocabulary, base: base.name, baseTokens: base.shape.vocabulary)
        ) {
            try DivergenceRun.measure(
                base: base, others: [tiny], text: "One day", settings: settings, configuration: Self.configuration())
        }
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("apus \(UUID().uuidString)")
        try FileManager.default.copyItem(at: URL(fileURLWithPath: base.name), to: folder)
        defer { try? FileManager.default.removeItem(at: folder) }
        let json = folder.appendingPathComponent("tokenizer.json")
        // A tokenizer that knows one merge less.
        var object = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: json)) as? [String: Any])
        var model = try #require(object["model"] as? [String: Any])
        model["merges"] = Array(try #require(model["merges"] as? [Any]).dropFirst(3))
        object["model"] = model
        try JSONSerialization.data(withJSONObject: object).write(to: json)
        let other = try ComparedModel(folder.path)
        let (own, theirs) = (base.tokens(of: golden.text), other.tokens(of: golden.text))
        let place = zip(own, theirs).prefix { $0 == $1 }.count
        #expect(
            throws: EvaluationError.differentTokens(model: other.name, base: base.name, place: place)
        ) {
            try DivergenceRun.measure(
                base: base, others: [other], text: golden.text, settings: settings,
                configuration: Self.configuration())
        }
        #expect(throws: EvaluationError.self) {
            var settings = settings
            settings.temperatures = [0]
            _ = try DivergenceRun.measure(
                base: base, others: [base], text: "One day", settings: settings, configuration: Self.configuration())
        }
    }

    /// Means of blocks: known cases by hand.
    @Test func blockErrors() {
        // 16 blocks of one value: the usual standard error of the mean.
        let values = (0..<16).map { Float($0) }
        let mean = Statistics.blockMean(values)
        let squares: [Double] = values.map { (Double($0) - 7.5) * (Double($0) - 7.5) }
        let variance = squares.reduce(0, +) / 15 / 16
        #expect(mean.value == 7.5 && abs(mean.standardError - variance.squareRoot()) < 1e-12)
        // Blocks of 4 equal values count as one each.
        let repeated = values.flatMap { Array(repeating: $0, count: 4) }
        #expect(Statistics.blockMean(repeated) == mean)
        #expect(Statistics.blockMean([3]) == Estimate(value: 3, standardError: 0))
        // Beyond 4,096 values blocks have 256; the last takes the rest.
        let long = (0..<16 * 256 + 100).map { Float($0 / 256 % 2) }
        #expect(Statistics.blockMean(long).standardError > 0.1)
        #expect(Statistics.quantile(0.5, ofSorted: [1, 2, 4]) == 2)
        #expect(Statistics.quantile(0.75, ofSorted: [1, 2, 4]) == 3)
        #expect(Statistics.quantile(1, ofSorted: [1, 2, 4]) == 4)
    }
}
