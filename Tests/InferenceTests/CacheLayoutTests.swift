import Foundation
import Inference
import Models
import Tensors
import TestKit
import Testing

/// The seam between models, engine and cache holds for a layout that the engine has never heard of: all that it does with pages
/// (cutting, batching, sharing, preempting, forking, swapping, storing) leaves every bit where it was.
@Suite struct CacheLayoutTests {
    static func configuration(_ pages: Int, _ model: any Model) -> EngineConfiguration {
        var configuration = InvarianceTests.configuration()
        configuration.cacheLayout = ToyLayout()
        configuration.sharesPrefixes = true
        configuration.cacheBytes = pages * ToyLayout().pageBytes(model.shape.cache, pageSize: 16)
        return configuration
    }

    static func alone(_ requests: [GenerationRequest], _ model: any Model) throws -> [LoopDriver.Answer] {
        try requests.map { try LoopDriver(model, configuration(64, model)).run([$0])[0] }
    }

    @Test(arguments: InvarianceTests.models) func theEngineKeepsEveryBit(_ name: String) throws {
        let model = try InvarianceTests.load(name)
        var requests = InvarianceTests.requests(8, model)
        for index in 4..<8 {
            requests[index].prompt =
                InvarianceTests.prompt(40, 1, vocabulary: model.shape.vocabulary) + requests[index].prompt
        }
        let expected = try Self.alone(requests, model)
        for (pages, budget, swap) in [(200, 512, 0), (200, 7, 0), (10, 64, 0), (10, 64, 40)] {
            var configuration = Self.configuration(pages, model)
            configuration.tokenBudget = budget
            configuration.swapBytes = swap * ToyLayout().pageBytes(model.shape.cache, pageSize: 16)
            let driver = try LoopDriver(model, configuration)
            for round in 0..<2 {
                InvarianceTests.expectSame(
                    try driver.run(requests), expected,
                    "\(pages) pages, chunks of \(budget), swap \(swap), round \(round)")
            }
            if pages == 10 { #expect(driver.loop.statistics.preemptions > 0) }
        }
    }

    @Test func forksAndStoredPages() throws {
        let model = try InvarianceTests.load("models/llama-plain")
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("apus-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        var request = InvarianceTests.requests(8, model)[7]
        request.maximumTokens = 30
        let expected = try Self.alone([request], model)
        for stored in [false, true] {
            var configuration = Self.configuration(64, model)
            configuration.prefixStore = PrefixStoreConfiguration(folder: folder.path, maximumBytes: 1 << 20)
            let driver = try LoopDriver(model, configuration)
            let original = try driver.submit(request)
            for _ in 0..<9 { driver.loop.step() }
            let fork = try driver.fork(original, Fork(at: 4))
            #expect(driver.run().isEmpty)
            InvarianceTests.expectSame([driver.answers[original]!], expected, "the original")
            #expect(driver.answers[fork]!.ids == Array(expected[0].ids.dropFirst(4)))
            #expect((driver.loop.statistics.loadedPages > 0) == stored)
        }
    }

    /// It computes attention: what it says is near what the plain layout says, and not the same.
    @Test func theToyIsAnHonestCache() throws {
        let model = try InvarianceTests.load("models/llama-plain")
        var request = InvarianceTests.requests(8, model)[7]
        request.promptLogprobs = 0
        request.maximumTokens = 0
        let plain = try InvarianceTests.alone([request], model)[0].prompt.compactMap(\.logprob)
        let toy = try Self.alone([request], model)[0].prompt.compactMap(\.logprob)
        let differences = zip(plain, toy).map { abs($0 - $1) }
        #expect(differences.count > 60 && differences.max()! < 0.1 && differences.max()! > 0)
    }
}
