import Checkpoints
import Evaluation
import Foundation
import Inference
import Models
import TestKit
import Testing

/// Perplexity of stored tokens against figures computed by an independent implementation in float64, and against a
/// count by hand.
@Suite struct PerplexityTests {
    struct Record: Decodable {
        struct Case: Decodable {
            var window: Int
            var stride: Int
            var scored: Int
            var perplexity: Double
            var standard_error: Double
        }
        var model: String
        var tokens: [Int32]
        var cases: [Case]
    }

    static let records: [Record] = {
        let file = Bundle.module.bundleURL.appendingPathComponent("Goldens/perplexity.json")
        return (try? Data(contentsOf: file)).flatMap { try? JSONDecoder().decode([Record].self, from: $0) } ?? []
    }()

    static func engine(_ name: String, running: Int = 4) throws -> Engine {
        let folder = Goldens.folder.appendingPathComponent("models").appendingPathComponent(name)
        var configuration = EngineConfiguration()
        configuration.threads = 1
        configuration.maximumRunning = running
        return try Engine(model: try Catalog.load(Checkpoint.open(folder.path)), configuration: configuration)
    }

    @Test func goldensArePresent() { #expect(Self.records.count == 4) }

    @Test(arguments: records.indices) func agreesWithTheReference(_ index: Int) async throws {
        let record = Self.records[index]
        let engine = try Self.engine(record.model)
        for golden in record.cases {
            let found = try await Perplexity.measure(
                engine, tokens: record.tokens, window: golden.window, stride: golden.stride)
            #expect(found.tokens == golden.scored)
            // Four digits, with one to spare.
            #expect(
                abs(found.value / golden.perplexity - 1) < 1e-5, "\(record.model) \(golden.window)/\(golden.stride)")
            #expect(abs(found.standardError / golden.standard_error - 1) < 1e-5)
            #expect(abs(exp(found.surprise / Double(found.tokens)) / found.value - 1) < 1e-12)
        }
    }

    /// Each token alone: the first window that reaches it, its own request, the last prompt token's log-probability.
    private func surpriseByHand(
        _ engine: Engine, _ tokens: [Int32], window: Int, stride: Int
    ) async throws -> (sum: Double, scored: Int) {
        var (sum, scored) = (0.0, 0)
        for place in tokens.indices {
            var begin = 0
            while begin + window <= place { begin += stride }
            if begin == place { continue }
            let request = GenerationRequest(
                prompt: Array(tokens[begin...place]), maximumTokens: 0, promptLogprobs: 0)
            for try await event in try engine.submit(request) {
                guard case .prompt(let prompt) = event else { continue }
                sum -= Double(try #require(prompt.last?.logprob))
                scored += 1
            }
        }
        return (sum, scored)
    }

    @Test(arguments: [
        (2, 2, 1), (2, 3, 3), (3, 2, 2), (3, 2, 1), (9, 4, 4), (9, 4, 3), (9, 4, 1), (8, 4, 2), (12, 12, 5),
        (12, 30, 7),
    ]) func windowsAreThoseOfTheDefinition(_ count: Int, _ window: Int, _ stride: Int) async throws {
        let record = try #require(Self.records.first)
        let engine = try Self.engine(record.model, running: 3)
        let tokens = Array(record.tokens[..<count])
        let hand = try await surpriseByHand(engine, tokens, window: window, stride: stride)
        let found = try await Perplexity.measure(engine, tokens: tokens, window: window, stride: stride)
        #expect(found.tokens == hand.scored)
        // Log-probabilities are the same bits however the windows are batched; only the order of the sum is shared here.
        #expect(found.surprise == hand.sum)
    }

    @Test func oneScoredTokenHasNoErrorBar() async throws {
        let engine = try Self.engine("llama-tied")
        let found = try await Perplexity.measure(engine, tokens: [1, 2], window: 8, stride: 4)
        #expect(found.tokens == 1)
        #expect(found.standardError == 0)
    }

    @Test func impossibleMeasurementsAreRefused() async throws {
        let engine = try Self.engine("llama-tied")
        let context = engine.model.shape.context
        func refusal(_ count: Int, _ window: Int, _ stride: Int) async -> EvaluationError? {
            do {
                _ = try await Perplexity.measure(
                    engine, tokens: [Int32](repeating: 3, count: count), window: window, stride: stride)
                return nil
            } catch { return error as? EvaluationError }
        }
        #expect(await refusal(0, 8, 4) == .textTooShort(tokens: 0))
        #expect(await refusal(1, 8, 4) == .textTooShort(tokens: 1))
        #expect(await refusal(5, 1, 1) == .impossibleWindow(window: 1, stride: 1))
        #expect(await refusal(5, 4, 0) == .impossibleWindow(window: 4, stride: 0))
        #expect(await refusal(5, 4, 5) == .impossibleWindow(window: 4, stride: 5))
        #expect(await refusal(5, -1, -2) == .impossibleWindow(window: -1, stride: -2))
        #expect(await refusal(context + 5, context + 1, 4) == .windowTooLong(window: context + 1, context: context))
        // A window that the text never fills is no harm.
        #expect(await refusal(5, context + 1, 4) == nil)
        // Windows of one token, left by the stride, score nothing.
        await #expect(throws: EngineError.self) {
            try await Perplexity.measure(engine, tokens: [1, 9999], window: 8, stride: 4)
        }
    }
}
