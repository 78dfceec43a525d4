import Inference
import Models
import Tensors
import TestKit
import Testing

/// Laws 3 and 4: pages add up whatever happens, and what is found in the cache is what would have been computed.
@Suite struct CacheLawTests {
    let model: any Model

    init() throws { model = try InvarianceTests.load("models/llama-plain") }

    func request(_ prompt: [Int32], generate: Int = 6) -> GenerationRequest {
        var sampling = SamplingParameters()
        sampling.temperature = 0
        sampling.logprobs = 0
        return GenerationRequest(prompt: prompt, sampling: sampling, maximumTokens: generate)
    }

    func tokens(_ count: Int, _ salt: Int) -> [Int32] {
        InvarianceTests.prompt(count, salt, vocabulary: model.shape.vocabulary)
    }

    func sharing() -> EngineConfiguration {
        var configuration = InvarianceTests.configuration()
        configuration.sharesPrefixes = true
        return configuration
    }

    // MARK: The prefix index

    @Test func aKnownPromptOfWholePagesStillHasOneTokenToCompute() throws {
        let prompt = request(tokens(64, 1))
        let expected = try InvarianceTests.alone([prompt], model)
        let driver = try LoopDriver(model, sharing())
        for cached in [0, 48, 48] {
            let answer = try driver.run([prompt])[0]
            InvarianceTests.expectSame([answer], expected, "with \(cached) tokens found")
            #expect(answer.statistics.cachedTokens == cached)
        }
    }

    @Test func aPageIsKnownByAllTokensBeforeIt() throws {
        let (a, b, c) = (tokens(16, 1), tokens(16, 2), tokens(17, 3))
        #expect(a != b)
        let requests = [a + c, b + c, c, a + b + c].map { request($0) }
        let expected = try InvarianceTests.alone(requests, model)
        let driver = try LoopDriver(model, sharing())
        for (request, reference) in zip(requests, expected) {
            InvarianceTests.expectSame([try driver.run([request])[0]], [reference], "after others")
        }
        InvarianceTests.expectSame(try driver.run(requests), expected, "all known")
    }

    @Test func answersAreFoundLikePrompts() throws {
        let first = request(tokens(40, 4), generate: 40)
        let driver = try LoopDriver(model, sharing())
        let answer = try driver.run([first])[0]
        let next = request(first.prompt + answer.ids + tokens(5, 5))
        let expected = try InvarianceTests.alone([next], model)
        let continued = try driver.run([next])[0]
        InvarianceTests.expectSame([continued], expected, "the next turn of a conversation")
        // 40 + 39 tokens went through the network: four whole pages.
        #expect(continued.statistics.cachedTokens == 64)
    }

    /// Four that begin with less than a page and give the same answer fill the same pages in the same steps.
    @Test func twoThatFillTheSamePageKeepOne() throws {
        let driver = try LoopDriver(model, sharing())
        let prompt = tokens(12, 6)
        for _ in 0..<4 { try driver.submit(request(prompt, generate: 40)) }
        for _ in 0..<26 { driver.loop.step() }
        // 12 + 25 tokens each: two whole pages once, and for each request the page under way.
        let statistics = driver.loop.statistics
        #expect(statistics.pages - statistics.freePages == 2 + 4)
        #expect(driver.run().isEmpty)
        // 12 + 39 tokens went through the network.
        #expect(driver.loop.statistics.indexedPages == 3)
        #expect(driver.loop.statistics.freePages == driver.loop.statistics.pages - 3)
    }

    @Test func promptScoresAreNeverLeftOutForAHit() throws {
        var scored = request(tokens(50, 7))
        scored.promptLogprobs = 0
        let expected = try InvarianceTests.alone([scored], model)[0]
        let driver = try LoopDriver(model, sharing())
        _ = try driver.run([request(scored.prompt)])
        let answer = try driver.run([scored])[0]
        #expect(answer.prompt.count == 50)
        #expect(answer.prompt == expected.prompt)
    }

    // MARK: Cancellation

    /// Cancelled after any number of steps, in a prompt, an answer or the queue, a request's pages are free at once.
    @Test(arguments: [false, true]) func cancellationFreesPagesAtOnce(_ shares: Bool) throws {
        for steps in 0..<14 {
            var configuration = sharing()
            configuration.sharesPrefixes = shares
            configuration.tokenBudget = 9
            configuration.maximumRunning = 2
            let driver = try LoopDriver(model, configuration)
            let ids = try (0..<3).map { try driver.submit(request(tokens(20 + 15 * $0, $0), generate: 30)) }
            for _ in 0..<steps { driver.loop.step() }
            for id in ids {
                driver.loop.cancel(id: id)
                driver.loop.cancel(id: id)
                #expect(driver.loop.violations() == [], "after \(steps) steps")
            }
            #expect(driver.loop.isIdle)
            let use = driver.loop.statistics
            #expect(use.freePages + use.indexedPages == use.pages, "after \(steps) steps")
            #expect(driver.answers.values.allSatisfy { $0.finish == .cancelled })
            if !shares { #expect(use.indexedPages == 0) }
        }
    }
}
