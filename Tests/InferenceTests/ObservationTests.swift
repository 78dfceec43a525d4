import Inference
import Models
import Tensors
import TestKit
import Testing

/// What the engine tells of itself: times of a request, figures of steps, who lives in it and on which pages.
@Suite struct ObservationTests {
    let model: any Model

    init() throws { model = try InvarianceTests.load("models/llama-plain") }

    func prompt(_ length: Int, _ salt: Int) -> [Int32] {
        InvarianceTests.prompt(length, salt, vocabulary: model.shape.vocabulary)
    }

    /// On a clock of our own, where each pass takes 1 ms for each row: one request runs at a time.
    @Test func timesOfARequest() throws {
        let timed = TimedModel(model) { 0.001 * Double($0) }
        var configuration = InvarianceTests.configuration()
        configuration.maximumRunning = 1
        let loop = try EngineLoop(model: timed, configuration: configuration)
        loop.now = { timed.clock }
        let start = timed.clock
        var finished: [Int: GenerationStatistics] = [:]
        for id in 0..<2 {
            try loop.submit(GenerationRequest(prompt: prompt(10, id), maximumTokens: 5), id: id) {
                if case .success(.finished(_, let statistics)) = $0 { finished[id] = statistics }
            }
        }
        while loop.step() {}
        // A prompt of 10 rows gives the first token, then a row for each of the other four.
        func near(_ duration: Duration?, _ milliseconds: Int) -> Bool {
            guard let duration else { return false }
            return abs((duration - .milliseconds(milliseconds)) / .microseconds(1)) < 1
        }
        let (first, second) = (try #require(finished[0]), try #require(finished[1]))
        #expect(first.arrival == start && near(first.queueTime, 0) && near(first.timeToFirstToken, 10))
        #expect(near(first.totalTime, 14) && near(first.meanTokenInterval, 1))
        #expect(second.arrival == start && near(second.queueTime, 14) && near(second.timeToFirstToken, 24))
        #expect(near(second.totalTime, 28) && near(second.meanTokenInterval, 1))
        let now = loop.statistics
        #expect(now.admitted == 2 && abs(now.queueSeconds - 0.014) < 1e-6 && abs(now.seconds - 0.028) < 1e-6)
        #expect(now.steps == 10 && now.rows == 28 && now.latestStep?.rows == 1 && now.latestStep?.sequences == 1)
        #expect(abs(now.latestStep!.seconds - 0.001) < 1e-6)
    }

    /// One that ended in the queue was never let in.
    @Test func timesOfARequestThatNeverRan() throws {
        let loop = try EngineLoop(model: model, configuration: InvarianceTests.configuration())
        var statistics: GenerationStatistics?
        try loop.submit(GenerationRequest(prompt: [1], maximumTokens: 5), id: 0) {
            if case .success(.finished(.cancelled, let final)) = $0 { statistics = final }
        }
        loop.cancel(id: 0)
        let ended = try #require(statistics)
        #expect(ended.arrival != nil && ended.admission == nil && ended.queueTime == nil && ended.end != nil)
        #expect(ended.timeToFirstToken == nil && ended.meanTokenInterval == nil && loop.statistics.admitted == 0)
    }

    @Test func aSnapshotTellsWhoHoldsWhat() throws {
        var configuration = InvarianceTests.configuration()
        configuration.sharesPrefixes = true
        configuration.maximumRunning = 3
        configuration.cacheBytes = 40 * CacheStorage.pageBytes(layers: model.shape.cache, pageSize: 16, type: .f32)
        let driver = try LoopDriver(model, configuration)
        let stem = prompt(48, 9)
        // Leaves three pages, of which two go on in two ways.
        _ = try driver.run([GenerationRequest(prompt: stem + prompt(17, 1), maximumTokens: 0)])
        _ = try driver.run([GenerationRequest(prompt: Array(stem.prefix(32)) + prompt(16, 2), maximumTokens: 0)])
        func request(_ tokens: [Int32], _ user: String) -> GenerationRequest {
            var request = GenerationRequest(prompt: tokens, maximumTokens: 30)
            request.user = user
            return request
        }
        let long = try driver.submit(request(stem + prompt(5, 3), "a"))
        let other = try driver.submit(request(prompt(20, 4), "b"))
        for _ in 0..<3 { driver.loop.step() }
        var samples: [GenerationRequest] = []
        for index in 0..<3 {
            var sample = request(prompt(600, 5), "c")
            sample.sampleIndex = UInt32(index)
            samples.append(sample)
        }
        // More than the cache holds: refused at once, and seen nowhere.
        #expect(throws: EngineError.self) { try driver.submit(samples: samples) }
        samples = samples.map {
            var sample = $0
            sample.prompt = prompt(30, 5)
            return sample
        }
        let group = try driver.submit(samples: samples)
        let last = try driver.submit(request(prompt(8, 6), "d"))
        let snapshot = driver.loop.snapshot()
        #expect(driver.loop.violations().isEmpty)

        let by = Dictionary(uniqueKeysWithValues: snapshot.requests.map { ($0.id, $0) })
        #expect(Set(by.keys) == Set([long, other, last] + group))
        #expect(by[long]?.stage == .answer && by[long]?.user == "a" && by[long]?.tokens == 56 && by[long]?.limit == 83)
        #expect(by[long]?.computedTokens == 55 && by[long]?.statistics.cachedTokens == 48)
        #expect(by[other]?.stage == .answer)
        #expect(by[group[0]]?.stage == .waiting && by[group[1]]?.stage == .sample && by[group[2]]?.stage == .sample)
        #expect(by[last]?.stage == .waiting && by[last]?.pages.isEmpty == true && by[last]?.isEmbedding == false)

        // Pages: every holder is a request that lists the page.
        #expect(snapshot.pageSize == 16 && snapshot.pages.count == 40)
        var holders = [Int](repeating: 0, count: 40)
        for request in snapshot.requests { for page in request.pages { holders[Int(page)] += 1 } }
        #expect(snapshot.pages.map(\.holders) == holders)
        let now = snapshot.statistics
        #expect(now == driver.loop.statistics)
        #expect(snapshot.pages.count(where: \.isIndexed) == now.indexedPages)
        #expect(snapshot.pages.count(where: \.isFree) == now.freePages)
        #expect(snapshot.pages.count { $0.isIndexed && $0.holders == 0 } == now.cachedPages)

        // The tree: the stem's two common pages, its third and the other way on, and the other request's page.
        let tree = snapshot.prefixes
        #expect(tree.pages == now.indexedPages && tree.unusedPages == now.cachedPages && tree.depth == 4)
        #expect(tree.branches.count == tree.branchCount)
        let root = try #require(tree.branches.first)
        #expect(root.parent == nil && root.pages.count == 2 && root.children == 2 && root.holders == 1)
        #expect(root.firstTokens == Array(stem.prefix(16)))
        #expect(root.subtreePages == 2 + tree.branches.filter { $0.parent == 0 }.reduce(0) { $0 + $1.subtreePages })
        #expect(tree.branches.reduce(0) { $0 + $1.pages.count } == tree.pages)
        #expect(by[long]!.pages.starts(with: root.pages))
        let one = driver.loop.snapshot(branches: 1).prefixes
        #expect(one.branches == [root] && one.branchCount == tree.branchCount)
        driver.run()
        let after = driver.loop.snapshot()
        #expect(after.requests.isEmpty && after.pages.allSatisfy { $0.holders == 0 })
    }

    @Test func theEngineShowsItselfWhileItRuns() async throws {
        let engine = try Engine(model: model, configuration: InvarianceTests.configuration())
        #expect(await engine.snapshot().requests.isEmpty)
        let gate = Gate(holdsToken: 3)
        let running = try engine.start(GenerationRequest(prompt: [1, 2], maximumTokens: 9, stop: gate))
        var tokens = 0
        for try await event in running.events {
            if case .token = event { tokens += 1 }
            if tokens == 2 { break }
        }
        async let snapshot = engine.snapshot()
        gate.open()
        let requests = await snapshot.requests
        #expect(requests.count <= 1 && requests.allSatisfy { $0.id == running.id && $0.statistics.arrival != nil })
    }
}
