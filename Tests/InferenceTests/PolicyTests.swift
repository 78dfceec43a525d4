import Inference
import Models
import Tensors
import TestKit
import Testing

/// Who goes first under each scheduling policy, and that it never changes an answer.
@Suite struct PolicyTests {
    let model: any Model

    init() throws { model = try InvarianceTests.load("models/llama-plain") }

    func request(_ length: Int, _ salt: Int, generate: Int = 6) -> GenerationRequest {
        var sampling = SamplingParameters()
        sampling.temperature = 0
        sampling.logprobs = 0
        return GenerationRequest(
            prompt: InvarianceTests.prompt(length, salt, vocabulary: model.shape.vocabulary), sampling: sampling,
            maximumTokens: generate)
    }

    func configuration(_ order: SchedulingOrder, running: Int = 1) -> EngineConfiguration {
        var configuration = InvarianceTests.configuration()
        configuration.scheduling = order
        configuration.maximumRunning = running
        return configuration
    }

    /// Ids in the order in which requests end.
    func ends(_ driver: LoopDriver) -> [Int] {
        var order: [Int] = []
        while !driver.loop.isIdle {
            driver.loop.step()
            order += driver.answers.filter { $0.value.finish != nil && !order.contains($0.key) }.keys.sorted()
        }
        return order
    }

    @Test(arguments: SchedulingOrder.allCases) func noPolicyChangesAnAnswer(_ order: SchedulingOrder) throws {
        var requests = InvarianceTests.requests(10, model)
        for index in requests.indices {
            requests[index].priority = index % 3 == 0 ? .interactive : .batch
            requests[index].user = "user \(index % 2)"
        }
        let expected = try InvarianceTests.alone(requests, model)
        for pages in [9, 400] {
            var configuration = configuration(order, running: 4)
            configuration.sharesPrefixes = true
            configuration.tokenBudget = 24
            configuration.cacheBytes =
                pages * CacheStorage.pageBytes(layers: model.shape.cache, pageSize: 16, type: .f32)
            InvarianceTests.expectSame(
                try LoopDriver(model, configuration).run(requests), expected, "\(order), \(pages) pages")
        }
    }

    @Test func arrivalIgnoresPriority() throws {
        let driver = try LoopDriver(model, configuration(.arrival))
        for index in 0..<4 {
            var request = request(10, index)
            request.priority = index == 3 ? .interactive : .batch
            try driver.submit(request)
        }
        #expect(ends(driver) == [0, 1, 2, 3])
    }

    @Test func interactiveRequestsGoBeforeThoseOfBatches() throws {
        let driver = try LoopDriver(model, configuration(.priority))
        for index in 0..<6 {
            var request = request(10, index)
            request.priority = [.batch, .batch, .interactive, .batch, .interactive, .batch][index]
            try driver.submit(request)
        }
        #expect(ends(driver) == [2, 4, 0, 1, 3, 5])
    }

    /// A batch's request that fills the cache gives its pages up at once, and gets the same answer later.
    @Test func anUrgentRequestTakesAPlaceAndPages() throws {
        let requests = [request(60, 1, generate: 60), request(60, 2, generate: 20)]
        let expected = try InvarianceTests.alone(requests, model)
        for (running, pages) in [(1, 400), (4, 8)] {
            var configuration = configuration(.priority, running: running)
            configuration.cacheBytes =
                pages * CacheStorage.pageBytes(layers: model.shape.cache, pageSize: 16, type: .f32)
            let driver = try LoopDriver(model, configuration)
            var slow = requests[0]
            slow.priority = .batch
            let batch = try driver.submit(slow)
            for _ in 0..<50 { driver.loop.step() }
            let urgent = try driver.submit(requests[1])
            driver.loop.step()
            #expect(driver.answers[urgent]!.ids.count == 1, "its first token comes with the next step")
            driver.run()
            InvarianceTests.expectSame([driver.answers[batch]!, driver.answers[urgent]!], expected, "\(pages) pages")
            #expect(driver.answers[batch]!.statistics.preemptions == 1)
        }
    }

    @Test func aPriorityMayChange() throws {
        let driver = try LoopDriver(model, configuration(.priority))
        for index in 0..<3 {
            var request = request(10, index)
            request.priority = .batch
            try driver.submit(request)
        }
        driver.loop.setPriority(.interactive, id: 2)
        #expect(ends(driver) == [2, 0, 1])
    }

    /// One user with twenty requests does not keep another with two waiting, however early the twenty came.
    @Test func usersAreServedAlike() throws {
        let driver = try LoopDriver(model, configuration(.fair))
        for index in 0..<20 {
            var request = request(20, index)
            request.user = "many"
            try driver.submit(request)
        }
        for index in 0..<2 {
            var request = request(20, 50 + index)
            request.user = "few"
            try driver.submit(request)
        }
        let order = ends(driver)
        #expect(order.count == 22)
        #expect(order.firstIndex(of: 20)! <= 1 && order.firstIndex(of: 21)! <= 3, "\(order)")
    }

    /// Two who always want more get the same number of tokens, whatever their requests look like; one who was away gets
    /// no credit for it.
    @Test func servedTokensStayClose() throws {
        let driver = try LoopDriver(model, configuration(.fair))
        var owner: [Int: String] = [:]
        func keepBusy(_ user: String, _ length: Int, _ generate: Int) throws {
            let waiting = owner.filter { $0.value == user && driver.answers[$0.key]!.finish == nil }.count
            for _ in waiting..<3 {
                var request = request(length, owner.count, generate: generate)
                request.user = user
                owner[try driver.submit(request)] = user
            }
        }
        func served(_ user: String) -> Int {
            owner.filter { $0.value == user }.reduce(0) { sum, entry in
                let answer = driver.answers[entry.key]!
                return answer.ids.isEmpty
                    ? sum : sum + (entry.key >= 0 ? answer.statistics.promptTokens : 0) + 2 * answer.ids.count
            }
        }
        for _ in 0..<400 {
            try keepBusy("long prompts", 90, 2)
            try keepBusy("long answers", 2, 40)
            driver.loop.step()
        }
        let (a, b) = (served("long prompts"), served("long answers"))
        // A user is ahead by no more than a request's worth at any time.
        #expect(abs(a - b) <= 2 * (90 + 2 * 40), "\(a) and \(b)")
        for _ in 0..<300 {
            try keepBusy("long prompts", 90, 2)
            try keepBusy("late", 30, 10)
            try keepBusy("long answers", 2, 40)
            driver.loop.step()
        }
        let late = served("late")
        let (gainA, gainB) = (served("long prompts") - a, served("long answers") - b)
        #expect(late <= max(gainA, gainB) + 2 * (90 + 2 * 40), "\(late), \(gainA), \(gainB)")
        #expect(late > 0 && gainA > 0 && gainB > 0)
    }

    @Test func theLongestKnownPrefixGoesFirst() throws {
        var configuration = configuration(.prefix)
        configuration.sharesPrefixes = true
        let driver = try LoopDriver(model, configuration)
        let known = request(70, 9)
        _ = try driver.run([known])
        let first = driver.answers.count
        try driver.submit(request(40, 1))
        try driver.submit(request(40, 2))
        var part = known
        part.prompt = Array(known.prompt.prefix(40)) + request(10, 3).prompt
        try driver.submit(part)
        try driver.submit(known)
        #expect(ends(driver).filter { $0 >= first } == [3, 2, 0, 1].map { $0 + first })
    }

    /// Requests that begin alike and come together compute what they share once, whatever the policy.
    @Test(arguments: SchedulingOrder.allCases) func aPrefixUnderWayIsWaitedFor(_ order: SchedulingOrder) throws {
        var configuration = configuration(order, running: 16)
        configuration.sharesPrefixes = true
        configuration.tokenBudget = 32
        let stem = request(96, 4).prompt
        let requests = (0..<8).map { index in
            var request = request(5 + index, index)
            request.prompt = stem + request.prompt
            return request
        }
        let expected = try InvarianceTests.alone(requests, model)
        let driver = try LoopDriver(model, configuration)
        InvarianceTests.expectSame(try driver.run(requests), expected, "\(order)")
        #expect(driver.loop.statistics.prefilledTokens == 96 + (0..<8).reduce(0) { $0 + 5 + $1 })
        #expect(driver.loop.statistics.hitTokens == 7 * 96)
    }
}
