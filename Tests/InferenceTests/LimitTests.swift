import Inference
import Models
import Tensors
import TestKit
import Testing

/// Deadlines, less memory than there was, and the figures that an engine shows.
@Suite struct LimitTests {
    let model: any Model

    init() throws { model = try InvarianceTests.load("models/llama-plain") }

    var page: Int { CacheStorage.pageBytes(layers: model.shape.cache, pageSize: 16, type: .f32) }

    func request(_ length: Int, _ salt: Int, generate: Int = 40) -> GenerationRequest {
        var sampling = SamplingParameters()
        sampling.logprobs = 0
        return GenerationRequest(
            prompt: InvarianceTests.prompt(length, salt, vocabulary: model.shape.vocabulary), sampling: sampling,
            maximumTokens: generate, seed: UInt64(salt))
    }

    /// The clock is a number that the test moves: each request ends in the first step at or after its deadline.
    @Test func overdueRequestsEndWithWhatThereIs() throws {
        var configuration = InvarianceTests.configuration()
        configuration.maximumRunning = 3
        let driver = try LoopDriver(model, configuration)
        let start = ContinuousClock.now
        var time = 0
        driver.loop.now = { start + .seconds(time) }
        let requests = (0..<5).map { index in
            var request = request(20, index)
            // The last two wait: one of them never gets a token.
            request.deadline = [nil, 10, 25, 20, 30][index].map { start + .seconds($0) }
            return request
        }
        let expected = try InvarianceTests.alone(requests.map { self.request(20, Int($0.seed)) }, model)
        let ids = try requests.map { try driver.submit($0) }
        while !driver.loop.isIdle {
            driver.loop.step()
            #expect(driver.loop.violations() == [])
            time += 1
            for (id, request) in zip(ids, requests) {
                guard let deadline = request.deadline, start + .seconds(time - 1) >= deadline else { continue }
                #expect(driver.answers[id]!.finish == .deadline)
            }
        }
        for (index, count) in [40, 10, 25, 10, 10].enumerated() {
            let answer = driver.answers[ids[index]]!
            #expect(answer.ids == Array(expected[index].ids.prefix(answer.ids.count)), "request \(index)")
            #expect(answer.ids.count <= 40 && (index > 2 || answer.ids.count == count), "request \(index)")
        }
        let statistics = driver.loop.statistics
        #expect(statistics.freePages == statistics.pages && statistics.cancelled == 4 && statistics.finished == 1)
    }

    /// Memory taken away under load: the limit holds at once, everybody gets the same answer later.
    @Test(arguments: [true, false]) func lessMemoryHoldsAtOnce(_ shares: Bool) throws {
        var configuration = InvarianceTests.configuration()
        configuration.sharesPrefixes = shares
        configuration.cacheBytes = 60 * page
        let requests = (0..<8).map { request(10 + 9 * $0, $0) }
        let expected = try InvarianceTests.alone(requests, model)
        let driver = try LoopDriver(model, configuration)
        let ids = try requests.map { try driver.submit($0) }
        for (step, pages) in [30, 12, 9, 60, 10].enumerated() {
            for _ in 0..<5 { driver.loop.step() }
            driver.loop.setCacheBytes(pages * page)
            let now = driver.loop.statistics
            #expect(now.pages == pages && now.usedPages + now.cachedPages <= pages, "squeeze \(step)")
            #expect(driver.loop.violations() == [])
        }
        while !driver.loop.isIdle {
            driver.loop.step()
            let now = driver.loop.statistics
            #expect(now.freePages >= 0 && now.usedPages + now.cachedPages <= 10)
        }
        InvarianceTests.expectSame(ids.map { driver.answers[$0]! }, expected, "after five squeezes")
        #expect(ids.contains { driver.answers[$0]!.statistics.preemptions > 0 })
    }

    @Test func whatCanNoLongerFitEndsWithTheNumbers() throws {
        let driver = try LoopDriver(model, InvarianceTests.configuration())
        let small = try driver.submit(request(10, 1, generate: 20))
        let large = try driver.submit(request(100, 2, generate: 60))
        driver.loop.step()
        driver.loop.setCacheBytes(4 * page)
        #expect(driver.answers[large]!.error == .cacheTooSmall(neededPages: 10, pages: 4, pageSize: 16))
        let late = try driver.submit(request(100, 3))
        #expect(driver.answers[late]!.error == .cacheTooSmall(neededPages: 9, pages: 4, pageSize: 16))
        driver.run()
        #expect(driver.answers[small]!.ids.count == 20)
    }

    @Test func statisticsAddUp() throws {
        var configuration = InvarianceTests.configuration()
        configuration.sharesPrefixes = true
        configuration.cacheBytes = 40 * page
        let driver = try LoopDriver(model, configuration)
        #expect(driver.loop.statistics.pages == 40 && driver.loop.statistics.freePages == 40)
        let requests = (0..<3).map { request(50, $0, generate: 10) }
        _ = try driver.run(requests)
        var now = driver.loop.statistics
        #expect(now.submitted == 3 && now.finished == 3 && now.running == 0 && now.waiting == 0)
        #expect(now.prefilledTokens == 150 && now.generatedTokens == 30 && now.rows == 150 + 3 * 9)
        #expect(now.queriedTokens == 150 && now.hitTokens == 0)
        #expect(now.cachedPages == 9 && now.freePages == 31 && now.usedPages == 0)
        _ = try driver.run([requests[1]])
        now = driver.loop.statistics
        #expect(now.hitTokens == 48 && now.queriedTokens == 200 && now.prefilledTokens == 152)
        #expect(now.hitRate == 48.0 / 200 && now.meanRows == Double(now.rows) / Double(now.steps))
        let cancelled = try driver.submit(request(50, 9))
        driver.loop.step()
        #expect(driver.loop.statistics.running == 1)
        driver.loop.cancel(id: cancelled)
        #expect(driver.loop.statistics.running == 0 && driver.loop.statistics.cancelled == 1)
    }

    /// Readers on other threads see whole snapshots, and the last one once the engine rests.
    @Test(.timeLimit(.minutes(1))) func statisticsAreReadFromAnyThread() async throws {
        let engine = try Engine(model: model, configuration: InvarianceTests.configuration())
        let reader = Task {
            var looks = 0
            while !Task.isCancelled {
                let now = engine.statistics
                #expect(now.rows >= now.generatedTokens - now.finished && now.freePages <= now.pages)
                looks += 1
                await Task.yield()
            }
            return looks
        }
        for index in 0..<20 {
            _ = try await EngineTests.collect(try engine.submit(request(20, index, generate: 20)))
        }
        reader.cancel()
        #expect(await reader.value > 0)
        while engine.statistics.running > 0 { await Task.yield() }
        #expect(engine.statistics.generatedTokens == 400 && engine.statistics.finished == 20)
    }
}
