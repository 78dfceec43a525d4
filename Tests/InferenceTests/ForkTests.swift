import Inference
import Models
import Tensors
import TestKit
import Testing

/// Parallel samples and forks over shared pages: each gets what it gets alone, and what they share exists once.
@Suite struct ForkTests {
    let model: any Model

    init() throws { model = try InvarianceTests.load("models/llama-plain") }

    func request(_ length: Int = 37, sample: UInt32 = 0, generate: Int = 30) -> GenerationRequest {
        var sampling = SamplingParameters()
        sampling.logprobs = 0
        return GenerationRequest(
            prompt: InvarianceTests.prompt(length, 3, vocabulary: model.shape.vocabulary), sampling: sampling,
            maximumTokens: generate, seed: 9, sampleIndex: sample)
    }

    func configuration(shares: Bool, pages: Int = 400, running: Int = 64) -> EngineConfiguration {
        var configuration = InvarianceTests.configuration()
        configuration.sharesPrefixes = shares
        configuration.maximumRunning = running
        configuration.cacheBytes = pages * CacheStorage.pageBytes(layers: model.shape.cache, pageSize: 16, type: .f32)
        return configuration
    }

    // MARK: Parallel samples

    @Test(arguments: [true, false]) func samplesShareTheirPrompt(_ shares: Bool) throws {
        let requests = (0..<6).map { request(sample: UInt32($0)) }
        let expected = try InvarianceTests.alone(requests, model)
        #expect(Set(expected.map(\.ids)).count > 1)
        let driver = try LoopDriver(model, configuration(shares: shares))
        let ids = try driver.submit(samples: requests)
        driver.loop.step()
        #expect(ids.allSatisfy { driver.answers[$0]!.ids.count == 1 }, "all have their first token after one step")
        #expect(driver.loop.statistics.rows == 37)
        #expect(driver.loop.statistics.usedPages == 3, "the prompt's pages exist once")
        #expect(driver.run().isEmpty)
        InvarianceTests.expectSame(ids.map { driver.answers[$0]! }, expected, "sharing: \(shares)")
        // The last page of the prompt is not full: all but one of the six copy it.
        #expect(driver.loop.statistics.copiedPages == 5)
        #expect(driver.loop.statistics.rows == 37 + 6 * 29)
    }

    /// Short of places and pages, samples wait like everybody else.
    @Test(arguments: [(2, 400), (64, 6), (3, 7)]) func samplesWaitWhereThereIsNoRoom(_ running: Int, _ pages: Int)
        throws
    {
        let requests = (0..<7).map { request(sample: UInt32($0)) }
        let expected = try InvarianceTests.alone(requests, model)
        for shares in [true, false] {
            let driver = try LoopDriver(model, configuration(shares: shares, pages: pages, running: running))
            let ids = try driver.submit(samples: requests)
            #expect(driver.run().isEmpty)
            InvarianceTests.expectSame(ids.map { driver.answers[$0]! }, expected, "sharing: \(shares)")
        }
    }

    /// The one that computes the prompt may end early; another goes on in its place.
    @Test func samplesOutliveTheirFirst() throws {
        let requests = (0..<4).map { request(90, sample: UInt32($0), generate: 8) }
        let expected = try InvarianceTests.alone(requests, model)
        for cancelled in 0..<4 {
            var configuration = configuration(shares: true)
            configuration.tokenBudget = 20
            let driver = try LoopDriver(model, configuration)
            let ids = try driver.submit(samples: requests)
            driver.loop.step()
            driver.loop.cancel(id: ids[cancelled])
            #expect(driver.answers[ids[cancelled]]!.finish == .cancelled)
            #expect(driver.run().isEmpty)
            #expect(driver.answers[ids[cancelled]]!.ids.isEmpty && driver.loop.statistics.finished == 3)
            for index in 0..<4 where index != cancelled {
                InvarianceTests.expectSame([driver.answers[ids[index]]!], [expected[index]], "without \(cancelled)")
            }
        }
    }

    @Test func samplesMustBeginAlike() throws {
        let driver = try LoopDriver(model, configuration(shares: true))
        #expect(throws: EngineError.samplesDiffer(index: 1)) {
            try driver.submit(samples: [request(10), request(11)])
        }
        #expect(driver.loop.isIdle)
    }

    // MARK: Forks

    /// Noise is addressed by seed, sample and position, so a fork with another sample index goes on as a request whose
    /// prompt is the prompt and the kept part of the answer.
    func reference(_ whole: LoopDriver.Answer, at kept: Int, sample: UInt32, generate: Int) throws -> LoopDriver.Answer
    {
        var request = request(sample: sample, generate: generate - kept)
        request.prompt += whole.ids.prefix(kept)
        return try InvarianceTests.alone([request], model)[0]
    }

    @Test(arguments: [true, false], [400, 7]) func forksAtAnyToken(_ shares: Bool, _ pages: Int) throws {
        let whole = try InvarianceTests.alone([request()], model)[0]
        for steps in [1, 2, 11, 12, 28] {
            let driver = try LoopDriver(model, configuration(shares: shares, pages: pages))
            let original = try driver.submit(request())
            for _ in 0..<steps { driver.loop.step() }
            #expect(driver.answers[original]!.ids.count == steps)
            var forks: [(id: Int, at: Int, sample: UInt32)] = []
            for (number, kept) in Set([0, steps / 2, steps]).sorted().enumerated() {
                let sample = UInt32(number + 1)
                forks.append((try driver.fork(original, Fork(at: kept, sampleIndex: sample)), kept, sample))
                #expect(driver.loop.violations() == [])
            }
            let same = try driver.fork(original, Fork())
            #expect(driver.run().isEmpty)
            InvarianceTests.expectSame([driver.answers[original]!], [whole], "the forked request itself")
            #expect(driver.answers[same]!.ids == Array(whole.ids.dropFirst(steps)), "nothing changed, nothing differs")
            for fork in forks {
                InvarianceTests.expectSame(
                    [driver.answers[fork.id]!],
                    [try reference(whole, at: fork.at, sample: fork.sample, generate: 30)],
                    "fork at \(fork.at) after \(steps) steps")
            }
        }
    }

    /// A fork of a request that ends goes on with the pages that it has; forks of forks too.
    @Test func forksOutliveTheirOriginals() throws {
        let whole = try InvarianceTests.alone([request()], model)[0]
        let driver = try LoopDriver(model, configuration(shares: false))
        let original = try driver.submit(request())
        for _ in 0..<10 { driver.loop.step() }
        let first = try driver.fork(original, Fork(at: 6))
        let second = try driver.fork(first, Fork(at: 4))
        driver.loop.cancel(id: original)
        #expect(driver.loop.violations() == [])
        for _ in 0..<3 { driver.loop.step() }
        driver.loop.cancel(id: first)
        #expect(driver.run().isEmpty)
        #expect(driver.answers[second]!.ids == Array(whole.ids.dropFirst(4)))
        #expect(driver.loop.statistics.freePages == driver.loop.statistics.pages)
    }

    /// What a sampler remembers of its own choices comes along.
    @Test func aForkTakesTheSamplersState() throws {
        var stateful = request()
        stateful.sampling.mirostat = 2
        stateful.sampling.repetitionPenalty = 1.3
        stateful.sampling.penalizesPrompt = false
        let whole = try InvarianceTests.alone([stateful], model)[0]
        for kept in [0, 1, 7, 15] {
            let driver = try LoopDriver(model, configuration(shares: true))
            let original = try driver.submit(stateful)
            for _ in 0..<15 { driver.loop.step() }
            let fork = try driver.fork(original, Fork(at: kept))
            #expect(driver.run().isEmpty)
            #expect(driver.answers[fork]!.ids == Array(whole.ids.dropFirst(kept)), "at \(kept)")
        }
    }

    @Test func whatCannotBeForkedIsRefused() throws {
        let driver = try LoopDriver(model, configuration(shares: true))
        let original = try driver.submit(request(generate: 5))
        driver.loop.step()
        #expect(throws: EngineError.cannotFork(request: original, at: 2, generated: 1)) {
            try driver.fork(original, Fork(at: 2))
        }
        #expect(throws: EngineError.cannotFork(request: 77, at: nil, generated: nil)) { try driver.fork(77, Fork()) }
        driver.run()
        #expect(throws: EngineError.cannotFork(request: original, at: 0, generated: nil)) {
            try driver.fork(original, Fork(at: 0))
        }
    }

    // MARK: With a thread

    @Test(.timeLimit(.minutes(1))) func forksOfARunningRequest() async throws {
        let engine = try Engine(model: model, configuration: configuration(shares: true))
        // The request is held before its sixth token until the fork is on its way.
        let gate = Gate(holdsToken: 6)
        var held = request(generate: 40)
        held.stop = gate
        let running = try engine.start(held)
        var ids: [Int32] = []
        var forked: RunningRequest?
        for try await event in running.events {
            if case .token(let token) = event { ids.append(token.id) }
            if ids.count == 5, forked == nil {
                forked = running.fork(Fork(at: 5))
                gate.open()
            }
        }
        let rest = try await EngineTests.collect(forked!.events)
        #expect(rest.ids == Array(ids.dropFirst(5)))
        let samples = try engine.start(samples: (0..<3).map { request(sample: $0, generate: 8) })
        let expected = try InvarianceTests.alone((0..<3).map { request(sample: $0, generate: 8) }, model)
        for (sample, reference) in zip(samples, expected) {
            let answer = try await EngineTests.collect(sample.events)
            #expect(answer.ids == reference.ids)
        }
        let late = running.fork(Fork())
        await #expect(throws: EngineError.cannotFork(request: running.id, at: nil, generated: nil)) {
            _ = try await EngineTests.collect(late.events)
        }
    }
}
