import Checkpoints
import Foundation
import Inference
import Models
import Tensors
import TestKit
import Testing

/// Laws 2, 3 and 5: a request's tokens and log-probabilities are the same to the last bit, whatever else runs, however
/// the work is cut, stored or shared out.
@Suite struct InvarianceTests {
    /// A checkpoint with sliding windows and one with integer weights, besides a plain one.
    static let models: [String] = ["models/llama-plain", "models/mistral-window", "models/gemma3"]

    static func load(_ name: String) throws -> any Model {
        try Catalog.load(Checkpoint.open(Goldens.folder.appendingPathComponent(name).path))
    }

    static func prompt(_ length: Int, _ salt: Int, vocabulary: Int) -> [Int32] {
        (0..<length).map { Int32(($0 * 7 + salt * 13 + $0 * $0 * 3) % vocabulary) }
    }

    /// Requests of many lengths, half of them sampled.
    static func requests(_ count: Int, _ model: any Model) -> [GenerationRequest] {
        (0..<count).map { index in
            var sampling = SamplingParameters()
            sampling.temperature = index % 2 == 0 ? 0 : 1
            sampling.logprobs = 0
            return GenerationRequest(
                prompt: prompt(1 + index * 9 % 70, index, vocabulary: model.shape.vocabulary), sampling: sampling,
                maximumTokens: 12, seed: UInt64(index + 1))
        }
    }

    static func configuration() -> EngineConfiguration {
        var configuration = EngineConfiguration()
        configuration.threads = 1
        configuration.pageSize = 16
        configuration.cacheBytes = 8 << 20
        configuration.sharesPrefixes = false
        return configuration
    }

    /// Each request alone, one row a step where possible: the plainest run there is.
    static func alone(_ requests: [GenerationRequest], _ model: any Model) throws -> [LoopDriver.Answer] {
        try requests.map { try LoopDriver(model, configuration()).run([$0])[0] }
    }

    static func expectSame(
        _ answers: [LoopDriver.Answer], _ expected: [LoopDriver.Answer], _ what: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        for (index, (answer, reference)) in zip(answers, expected).enumerated() {
            #expect(answer.ids == reference.ids, "\(what), request \(index)", sourceLocation: sourceLocation)
            #expect(
                answer.logprobs.map(\.bitPattern) == reference.logprobs.map(\.bitPattern), "\(what), request \(index)",
                sourceLocation: sourceLocation)
        }
    }

    @Test(arguments: models) func batchesOfOneToSeventeen(_ name: String) throws {
        let model = try Self.load(name)
        let requests = Self.requests(17, model)
        let expected = try Self.alone(requests, model)
        #expect(expected.allSatisfy { $0.ids.count == 12 && $0.logprobs.count == 12 })
        for size in 1...17 {
            let answers = try LoopDriver(model, Self.configuration()).run(Array(requests.prefix(size)))
            Self.expectSame(answers, Array(expected.prefix(size)), "\(size) together")
        }
    }

    @Test(arguments: models) func chunksPagesThreadsAndTables(_ name: String) throws {
        let model = try Self.load(name)
        let requests = Self.requests(6, model)
        let expected = try Self.alone(requests, model)
        for budget in [1, 3, 16, 37, 512] {
            var configuration = Self.configuration()
            configuration.tokenBudget = budget
            Self.expectSame(try LoopDriver(model, configuration).run(requests), expected, "chunks of \(budget)")
        }
        for pageSize in [16, 32, 48, 64, 128] {
            var configuration = Self.configuration()
            configuration.pageSize = pageSize
            Self.expectSame(try LoopDriver(model, configuration).run(requests), expected, "pages of \(pageSize)")
        }
        for threads in 1...3 {
            var configuration = Self.configuration()
            configuration.threads = threads
            Self.expectSame(try LoopDriver(model, configuration).run(requests), expected, "\(threads) threads")
        }
        for table in KernelTable.available {
            var configuration = Self.configuration()
            configuration.kernels = table
            Self.expectSame(try LoopDriver(model, configuration).run(requests), expected, "kernels \(table)")
        }
    }

    @Test(arguments: models) func prefixHitsEqualColdRuns(_ name: String) throws {
        let model = try Self.load(name)
        let shared = Self.prompt(50, 3, vocabulary: model.shape.vocabulary)
        let requests = (0..<5).map { index in
            var request = Self.requests(5, model)[index]
            request.prompt = shared + Self.prompt(1 + index * 5, index, vocabulary: model.shape.vocabulary)
            return request
        }
        let expected = try Self.alone(requests, model)
        var configuration = Self.configuration()
        configuration.sharesPrefixes = true
        let driver = try LoopDriver(model, configuration)
        // One after another (each finds the first's pages), then all at once, then cold at the same step.
        for (request, reference) in zip(requests, expected) {
            Self.expectSame(try driver.run([request]), [reference], "after others")
        }
        let together = try driver.run(requests)
        Self.expectSame(together, expected, "together, warm")
        #expect(together.allSatisfy { $0.statistics.cachedTokens >= 48 }, "the prefix was found")
        Self.expectSame(try LoopDriver(model, configuration).run(requests), expected, "together, cold")
    }

    @Test(arguments: models) func preemptionChangesNothing(_ name: String) throws {
        let model = try Self.load(name)
        let requests = Self.requests(8, model)
        let expected = try Self.alone(requests, model)
        for shares in [false, true] {
            var configuration = Self.configuration()
            configuration.sharesPrefixes = shares
            let page = CacheStorage.pageBytes(layers: model.shape.cache, pageSize: 16, type: .f32)
            configuration.cacheBytes = 9 * page
            let answers = try LoopDriver(model, configuration).run(requests)
            Self.expectSame(answers, expected, "nine pages for all")
            #expect(answers.contains { $0.statistics.preemptions > 0 }, "memory was short enough to preempt")
        }
    }

    @Test(arguments: CacheType.allCases) func cacheTypesAreHonest(_ type: CacheType) throws {
        let model = try Self.load("models/llama-plain")
        let requests = Self.requests(6, model)
        func configuration(_ budget: Int) -> EngineConfiguration {
            var configuration = Self.configuration()
            configuration.cacheType = type
            configuration.tokenBudget = budget
            return configuration
        }
        let whole = try LoopDriver(model, configuration(512)).run(requests)
        Self.expectSame(try LoopDriver(model, configuration(5)).run(requests), whole, "\(type) in chunks")
    }

    @Test func samplesDependOnSeedAndIndexAlone() throws {
        let model = try Self.load("models/llama-plain")
        var request = Self.requests(2, model)[1]
        request.maximumTokens = 24
        let first = try LoopDriver(model, Self.configuration()).run([request])[0]
        var other = request
        other.seed += 1
        var second = request
        second.sampleIndex = 1
        let mixed = try LoopDriver(model, Self.configuration()).run([other, second, request])
        #expect(mixed[2].ids == first.ids)
        #expect(mixed[0].ids != first.ids)
        #expect(mixed[1].ids != first.ids)
    }
}
