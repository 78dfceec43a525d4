import Inference
import Models
import Tensors
import TestKit
import Testing

/// Law 1 and what the scheduler promises: every step narrows the gap as far as the budget allows, each token is computed
/// once, and an answer under way never waits for a prompt.
@Suite struct SchedulerTests {
    let model: any Model

    init() throws { model = try InvarianceTests.load("models/llama-plain") }

    func greedy(_ length: Int, _ salt: Int, generate: Int) -> GenerationRequest {
        var sampling = SamplingParameters()
        sampling.temperature = 0
        return GenerationRequest(
            prompt: InvarianceTests.prompt(length, salt, vocabulary: model.shape.vocabulary), sampling: sampling,
            maximumTokens: generate)
    }

    @Test(arguments: [1, 2, 7, 16, 64, 512]) func eachTokenIsComputedOnceAndNoStepExceedsTheBudget(_ budget: Int) throws
    {
        var configuration = InvarianceTests.configuration()
        configuration.tokenBudget = budget
        let driver = try LoopDriver(model, configuration)
        let lengths = [1, 90, 16, 33, 64, 5]
        for (index, length) in lengths.enumerated() { try driver.submit(greedy(length, index, generate: 9)) }
        var before = 0
        while driver.loop.step() {
            let rows = driver.loop.statistics.rows - before
            #expect(rows >= 1 && rows <= budget)
            before = driver.loop.statistics.rows
        }
        // The last token of an answer is never put through the network.
        #expect(driver.loop.statistics.rows == lengths.reduce(0, +) + lengths.count * (9 - 1))
        #expect(driver.answers.values.allSatisfy { $0.ids.count == 9 && $0.finish == .length })
    }

    @Test func aPromptTakesAsManyStepsAsItsLengthNeeds() throws {
        for (length, budget, steps) in [(100, 16, 7), (96, 16, 6), (1, 16, 1), (100, 512, 1)] {
            var configuration = InvarianceTests.configuration()
            configuration.tokenBudget = budget
            let driver = try LoopDriver(model, configuration)
            try driver.submit(greedy(length, 1, generate: 1))
            driver.run()
            #expect(driver.loop.statistics.steps == steps, "\(length) tokens by \(budget)")
        }
    }

    @Test func anAnswerUnderWayDoesNotWaitForAPrompt() throws {
        var configuration = InvarianceTests.configuration()
        configuration.tokenBudget = 8
        let driver = try LoopDriver(model, configuration)
        let answer = try driver.submit(greedy(3, 1, generate: 40))
        driver.loop.step()
        let long = try driver.submit(greedy(200, 2, generate: 4))
        var steps = 0
        while driver.answers[long]!.ids.isEmpty {
            let count = driver.answers[answer]!.ids.count
            let rows = driver.loop.statistics.rows
            driver.loop.step()
            steps += 1
            #expect(driver.answers[answer]!.ids.count == count + 1, "the answer got its token in step \(steps)")
            // What the answer leaves goes to the prompt: no row of the budget is wasted while there is work.
            #expect(driver.loop.statistics.rows - rows == min(8, 1 + 200 - (steps - 1) * 7))
        }
        #expect(steps == 29)
        driver.run()
        #expect(driver.answers[answer]!.ids.count == 40)
    }

    @Test func whatWasPreemptedIsComputedAgainInChunks() throws {
        let page = CacheStorage.pageBytes(layers: model.shape.cache, pageSize: 16, type: .f32)
        var configuration = InvarianceTests.configuration()
        configuration.cacheBytes = 9 * page
        let driver = try LoopDriver(model, configuration)
        let old = try driver.submit(greedy(48, 1, generate: 60))
        let new = try driver.submit(greedy(30, 2, generate: 60))
        while driver.answers[old]!.finish == nil { driver.loop.step() }
        let generated = driver.answers[new]!.ids.count
        #expect(generated > 10 && driver.answers[new]!.finish == nil, "it was well under way when it lost its pages")
        // Its 30 + `generated` tokens fit one step's budget, so the step after brings the next token.
        driver.loop.step()
        #expect(driver.answers[new]!.ids.count == generated + 1)
        driver.run()
        #expect(driver.answers[new]!.statistics.preemptions == 1)
        #expect(driver.answers[new]!.ids.count == 60)
    }

    @Test func atMostSoManyRunAtOnceInOrderOfArrival() throws {
        var configuration = InvarianceTests.configuration()
        configuration.maximumRunning = 3
        let driver = try LoopDriver(model, configuration)
        let ids = try (0..<7).map { try driver.submit(greedy(4 + $0, $0, generate: 10)) }
        driver.loop.step()
        #expect(ids.map { driver.answers[$0]!.ids.count } == [1, 1, 1, 0, 0, 0, 0])
        while driver.answers[ids[2]]!.finish == nil { driver.loop.step() }
        driver.loop.step()
        #expect(ids.map { driver.answers[$0]!.ids.count } == [10, 10, 10, 1, 1, 1, 0])
        #expect(driver.run().isEmpty)
        #expect(driver.answers.values.allSatisfy { $0.ids.count == 10 })
    }
}
