import Inference
import Models
import Synchronization
import Tensors
import TestKit
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// The engine with its thread: many callers, cancellation, shutdown, refusals.
@Suite(.timeLimit(.minutes(2))) struct EngineTests {
    let model: any Model

    init() throws { model = try InvarianceTests.load("models/llama-plain") }

    static func collect(
        _ stream: AsyncThrowingStream<GenerationEvent, any Error>
    ) async throws -> (ids: [Int32], logprobs: [Float], finish: FinishReason?) {
        var ids: [Int32] = []
        var logprobs: [Float] = []
        var finish: FinishReason?
        for try await event in stream {
            switch event {
            case .token(let token):
                ids.append(token.id)
                logprobs.append(token.logprob ?? .nan)
            case .finished(let reason, _): finish = reason
            case .prompt: break
            }
        }
        return (ids, logprobs, finish)
    }

    @Test func manyCallersAtOnceGetWhatEachGetsAlone() async throws {
        let requests = InvarianceTests.requests(12, model)
        let expected = try InvarianceTests.alone(requests, model)
        var configuration = InvarianceTests.configuration()
        configuration.sharesPrefixes = true
        configuration.tokenBudget = 24
        let engine = try Engine(model: model, configuration: configuration)
        try await withThrowingTaskGroup(of: (Int, [Int32], [Float], FinishReason?).self) { group in
            for task in 0..<60 {
                group.addTask {
                    let stream = try engine.submit(requests[task % 12])
                    let answer = try await Self.collect(stream)
                    return (task % 12, answer.ids, answer.logprobs, answer.finish)
                }
            }
            for try await (index, ids, logprobs, finish) in group {
                #expect(ids == expected[index].ids, "request \(index)")
                #expect(logprobs.map(\.bitPattern) == expected[index].logprobs.map(\.bitPattern), "request \(index)")
                #expect(finish == .length)
            }
        }
    }

    /// Takes one token of a request and lets go of the stream.
    static func takeOneToken(_ engine: Engine, _ request: GenerationRequest) async throws {
        for try await event in try engine.submit(request) {
            if case .token = event { return }
        }
        Issue.record("the stream ended without a token")
    }

    /// The first request's second token is held back until its stream is gone, so that it cannot end by itself. The cache
    /// has room for one of these requests at a time.
    @Test func lettingGoOfAStreamEndsItsRequest() async throws {
        var configuration = InvarianceTests.configuration()
        configuration.cacheBytes = 16 * CacheStorage.pageBytes(layers: model.shape.cache, pageSize: 16, type: .f32)
        let engine = try Engine(model: model, configuration: configuration)
        for seed in 0..<6 {
            let gate = Gate(holdsToken: 2)
            try await Self.takeOneToken(engine, GenerationRequest(prompt: [1, 2, 3], seed: UInt64(seed), stop: gate))
            gate.open()
            let next = try await Self.collect(try engine.submit(GenerationRequest(prompt: [4, 5], maximumTokens: 3)))
            #expect(next.ids.count == 3 && next.finish == .length)
            #expect(gate.tokens <= 2, "nothing was computed for it once its stream was gone")
        }
    }

    @Test func cancellingTheTaskEndsItsRequest() async throws {
        let engine = try Engine(model: model, configuration: InvarianceTests.configuration())
        let gate = Gate(holdsToken: 1)
        let stream = try engine.submit(GenerationRequest(prompt: [1, 2, 3], stop: gate))
        let task = Task { try await Self.collect(stream) }
        task.cancel()
        let taken = try? await task.value
        #expect(taken?.ids.isEmpty != false)
        gate.open()
        let next = try await Self.collect(try engine.submit(GenerationRequest(prompt: [4, 5], maximumTokens: 3)))
        #expect(next.ids.count == 3)
        #expect(gate.tokens <= 1)
    }

    @Test func shutdownEndsStreamsWithAnError() async throws {
        var configuration = InvarianceTests.configuration()
        configuration.maximumRunning = 1
        var engine: Engine? = try Engine(model: model, configuration: configuration)
        // One that is held at its first token, one that waits behind it.
        let gate = Gate(holdsToken: 1)
        let running = try engine!.submit(
            GenerationRequest(prompt: [1, 2, 3], maximumTokens: 200, stop: gate))
        let waiting = try engine!.submit(GenerationRequest(prompt: [4, 5], maximumTokens: 200))
        engine = nil
        gate.open()
        for stream in [running, waiting] {
            await #expect(throws: EngineError.stopped) { _ = try await Self.collect(stream) }
        }
    }

    // MARK: Refusals

    @Test func impossibleConfigurationsAreRefused() throws {
        func refusal(_ change: (inout EngineConfiguration) -> Void) -> EngineError? {
            var configuration = InvarianceTests.configuration()
            change(&configuration)
            do throws(EngineError) {
                _ = try Engine(model: model, configuration: configuration)
                return nil
            } catch {
                return error
            }
        }
        #expect(refusal { _ in } == nil)
        #expect(
            refusal { $0.pageSize = 20 } == .configuration(field: "page size", value: 20, allowed: "a multiple of 16"))
        for change: (inout EngineConfiguration) -> Void in [
            { $0.pageSize = 0 }, { $0.tokenBudget = 0 }, { $0.threads = 0 }, { $0.maximumRunning = -1 },
            { $0.context = 0 },
        ] {
            if case .configuration? = refusal(change) {} else { Issue.record("an impossible configuration was taken") }
        }
    }

    /// A request that waits for pages asks the index in every step; it counts once.
    @Test func prefixFiguresCountEachRequestOnce() throws {
        var configuration = InvarianceTests.configuration()
        configuration.sharesPrefixes = true
        configuration.cacheBytes = 4 * CacheStorage.pageBytes(layers: model.shape.cache, pageSize: 16, type: .f32)
        let driver = try LoopDriver(model, configuration)
        let prompt = InvarianceTests.prompt(40, 1, vocabulary: model.shape.vocabulary)
        _ = try driver.run((0..<3).map { GenerationRequest(prompt: prompt, maximumTokens: 8, seed: UInt64($0)) })
        let use = driver.loop.statistics
        let admissions = 3 + driver.answers.values.reduce(0) { $0 + $1.statistics.preemptions }
        #expect(use.queriedTokens <= admissions * 48)
        #expect(use.queriedTokens >= 3 * 40)
        #expect(use.hitTokens <= use.queriedTokens)
    }

    @Test func refusalsSayWhatAndWhere() throws {
        var configuration = InvarianceTests.configuration()
        configuration.context = 40
        let engine = try Engine(model: model, configuration: configuration)
        func refusal(_ request: GenerationRequest) -> EngineError? {
            do throws(EngineError) {
                _ = try engine.submit(request)
                return nil
            } catch {
                return error
            }
        }
        #expect(refusal(GenerationRequest(prompt: [])) == .emptyPrompt)
        #expect(
            refusal(GenerationRequest(prompt: [1, 131])) == .tokenOutOfRange(token: 131, position: 1, vocabulary: 131))
        #expect(
            refusal(GenerationRequest(prompt: [-1, 2])) == .tokenOutOfRange(token: -1, position: 0, vocabulary: 131))
        #expect(
            refusal(GenerationRequest(prompt: [Int32](repeating: 1, count: 41)))
                == .contextOverflow(prompt: 41, context: 40))
        #expect(
            refusal(GenerationRequest(prompt: [Int32](repeating: 1, count: 40)))
                == .contextOverflow(prompt: 40, context: 40))
        #expect(refusal(GenerationRequest(prompt: [Int32](repeating: 1, count: 40), maximumTokens: 0)) == nil)
        #expect(refusal(GenerationRequest(prompt: [1], maximumTokens: -2)) == .negativeLimit(-2))
        var sampling = SamplingParameters()
        sampling.temperature = -1
        let refused = refusal(GenerationRequest(prompt: [1], sampling: sampling))
        if case .sampling? = refused {
        } else {
            Issue.record("a negative temperature was answered by \(refused as Any)")
        }
        #expect(EngineError.contextOverflow(prompt: 41, context: 40).description.contains("41"))
        #expect(EngineError.contextOverflow(prompt: 41, context: 40).description.contains("40"))
    }

    @Test func aCacheThatIsTooSmallIsRefused() throws {
        let page = CacheStorage.pageBytes(layers: model.shape.cache, pageSize: 16, type: .f32)
        var configuration = InvarianceTests.configuration()
        configuration.cacheBytes = 3 * page
        let engine = try Engine(model: model, configuration: configuration)
        #expect(throws: EngineError.cacheTooSmall(neededPages: 4, pages: 3, pageSize: 16)) {
            _ = try engine.submit(GenerationRequest(prompt: [1, 2], maximumTokens: 47))
        }
        _ = try engine.submit(GenerationRequest(prompt: [1, 2], maximumTokens: 46))
        configuration.cacheBytes = page - 1
        #expect(throws: EngineError.cacheTooSmall(neededPages: 1, pages: 0, pageSize: 16)) {
            _ = try Engine(model: model, configuration: configuration)
        }
    }
}

/// A stop condition that holds the engine's thread at one token until it is opened, and never stops anything.
final class Gate: StopCondition {
    private let holdsToken: Int
    private let isOpen = Atomic<Bool>(false)
    private let count = Atomic<Int>(0)

    init(holdsToken: Int) { self.holdsToken = holdsToken }

    var tokens: Int { count.load(ordering: .acquiring) }

    func open() { isOpen.store(true, ordering: .releasing) }

    func shouldStop(after token: Int32) -> Bool {
        let token = count.wrappingAdd(1, ordering: .acquiringAndReleasing).newValue
        while token == holdsToken, !isOpen.load(ordering: .acquiring) { sched_yield() }
        return false
    }
}
