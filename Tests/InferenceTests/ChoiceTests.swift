import Inference
import Models
import Tensors
import TestKit
import Testing

/// Tokens are chosen on all threads: the same ones, whatever their number.
@Suite struct ChoiceTests {
    /// A vocabulary that is worth more than one thread.
    static func model() throws -> any Model { try InvarianceTests.load("../Models/stories-draft") }

    static func requests(_ model: any Model) -> [GenerationRequest] {
        (0..<24).map { index in
            var sampling = SamplingParameters()
            sampling.logprobs = index % 3
            switch index % 8 {
            case 0: sampling.temperature = 0
            case 1: sampling.topP = 0.9
            case 2: sampling.topK = 40
            case 3: (sampling.mirostat, sampling.topP) = (2, 1)
            case 4: sampling.minP = 0.02
            case 5: sampling.repetitionPenalty = 1.3
            case 6: sampling.dryMultiplier = 0.8
            default: sampling.typicalP = 0.9
            }
            return GenerationRequest(
                prompt: InvarianceTests.prompt(1 + index * 5 % 17, index, vocabulary: model.shape.vocabulary),
                sampling: sampling, maximumTokens: 10, seed: UInt64(index),
                promptLogprobs: index % 5 == 4 ? 2 : nil)
        }
    }

    @Test func threadsNeverShow() throws {
        let model = try Self.model()
        #expect(model.shape.vocabulary >= 4000)
        let requests = Self.requests(model)
        let expected = try InvarianceTests.alone(requests, model)
        for threads in [1, 2, 3, 5] {
            var configuration = InvarianceTests.configuration()
            configuration.threads = threads
            let answers = try LoopDriver(model, configuration).run(requests)
            InvarianceTests.expectSame(answers, expected, "\(threads) threads")
            for (answer, reference) in zip(answers, expected) {
                #expect(answer.prompt == reference.prompt && answer.finish == reference.finish)
            }
        }
    }

    /// A broken row ends its own request and no other's.
    @Test func anErrorIsItsOwn() throws {
        let model = try Self.model()
        var requests = Self.requests(model)
        let expected = try InvarianceTests.alone(requests, model)
        for index in [3, 11, 17] { requests[index].mask = NothingAfter(requests[index].prompt.count + index % 4) }
        var configuration = InvarianceTests.configuration()
        configuration.threads = 3
        let answers = try LoopDriver(model, configuration).run(requests)
        for (index, answer) in answers.enumerated() {
            if let mask = requests[index].mask as? NothingAfter {
                #expect(answer.error == .sampling(.noCandidate(position: mask.length)), "request \(index)")
                #expect(answer.ids == Array(expected[index].ids.prefix(index % 4)))
            } else {
                #expect(answer.ids == expected[index].ids && answer.error == nil, "request \(index)")
            }
        }
    }

    /// Lets no token follow a history of some length.
    struct NothingAfter: ScoreMask {
        let length: Int
        init(_ length: Int) { self.length = length }

        func apply(to scores: UnsafeMutableBufferPointer<Float>, history: TokenHistory) {
            if history.tokens.count >= length { scores.update(repeating: -.infinity) }
        }
    }

    // MARK: Masks

    /// Lets a token follow only where its remainder by 5 is one more than the last token's.
    struct Ladder: ScoreMask {
        func apply(to scores: UnsafeMutableBufferPointer<Float>, history: TokenHistory) {
            let wanted = (Int(history.tokens.last!) + 1) % 5
            for id in scores.indices where id % 5 != wanted { scores[id] = -.infinity }
        }

        static func holds(_ tokens: [Int32]) -> Bool {
            zip(tokens, tokens.dropFirst()).allSatisfy { $1 % 5 == ($0 + 1) % 5 }
        }
    }

    /// A mask decides what may follow, for parallel samples, forks and preempted requests too, and the model's own
    /// log-probabilities do not see it.
    @Test func masksHoldInTheEngine() throws {
        let model = try InvarianceTests.load("models/llama-plain")
        var requests = InvarianceTests.requests(8, model)
        for index in requests.indices { requests[index].mask = Ladder() }
        let expected = try InvarianceTests.alone(requests, model)
        for (answer, request) in zip(expected, requests) {
            #expect(answer.ids.count == 12 && Ladder.holds([request.prompt.last!] + answer.ids))
        }
        // Greedily: the best of those that the mask leaves, with the model's own log-probability.
        var free = requests[0]
        free.mask = nil
        free.sampling.logprobs = model.shape.vocabulary
        free.maximumTokens = 1
        var top: [TokenLogprob] = []
        let loop = try EngineLoop(model: model, configuration: InvarianceTests.configuration())
        try loop.submit(free, id: 0) { if case .success(.token(let token)) = $0 { top = token.topLogprobs } }
        while loop.step() {}
        let best = top.first { Ladder.holds([free.prompt.last!, $0.id]) }!
        #expect(expected[0].ids[0] == best.id && expected[0].logprobs[0] == best.logprob)

        var configuration = InvarianceTests.configuration()
        configuration.threads = 2
        configuration.sharesPrefixes = true
        configuration.cacheBytes = 14 * CacheStorage.pageBytes(layers: model.shape.cache, pageSize: 16, type: .f32)
        let driver = try LoopDriver(model, configuration)
        InvarianceTests.expectSame(try driver.run(requests), expected, "short of pages")
        #expect(driver.loop.statistics.preemptions > 0)

        let samples = (0..<4).map { index in
            var sample = requests[3]
            sample.sampleIndex = UInt32(index)
            return sample
        }
        let ids = try driver.submit(samples: samples)
        while driver.answers[ids[0]]!.ids.count < 5 { driver.loop.step() }
        let fork = try driver.fork(ids[0], Fork(at: 3, sampleIndex: 9))
        driver.run()
        let beginning = samples[0].prompt.suffix(1) + driver.answers[ids[0]]!.ids.prefix(3)
        #expect(Ladder.holds(beginning + driver.answers[fork]!.ids) && driver.answers[fork]!.ids.count == 9)
        for id in ids { #expect(Ladder.holds(samples[0].prompt.suffix(1) + driver.answers[id]!.ids)) }
    }
}
