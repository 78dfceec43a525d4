import Inference
import Models
import Tensors
import TestKit
import Testing

/// Texts are turned into vectors in the steps of all other requests, and neither shows in the other.
@Suite(.timeLimit(.minutes(2))) struct EngineEmbeddingTests {
    let model: any Model

    init() throws { model = try InvarianceTests.load("models/llama-plain") }

    /// The states of a text in one pass, pooled by the definition.
    static func vector(_ text: [Int32], _ pooling: EmbeddingPooling, _ model: any Model) throws -> [Float] {
        let cache = try #require(
            CacheStorage(layers: model.shape.cache, pageSize: 16, pageCount: text.count / 16 + 1, type: .f32))
        let scratch = Scratch(
            model: model, kernels: KernelTable.available[0], threads: 1, maximumRows: text.count,
            maximumOutputs: text.count)
        let batch = Batch(capacity: text.count)
        let pages = PageList(capacity: text.count / 16 + 1)
        for page in 0...text.count / 16 { pages.append(Int32(page)) }
        for (position, token) in text.enumerated() {
            batch.rows.append(
                token: token, position: position, slot: position, visible: position + 1, variant: 0, pages: pages)
            batch.wantScores()
        }
        let states = model.states(batch, cache, scratch)
        var sums = [Double](repeating: 0, count: model.shape.width)
        for row in (pooling == .mean ? 0 : text.count - 1)..<text.count {
            for (element, value) in states.elements(of: row).enumerated() { sums[element] += Double(value) }
        }
        let length = sums.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return sums.map { Float($0 / length) }
    }

    static func texts(_ model: any Model) -> [(tokens: [Int32], pooling: EmbeddingPooling)] {
        let stem = InvarianceTests.prompt(40, 3, vocabulary: model.shape.vocabulary)
        return (0..<12).map { index in
            let tail = InvarianceTests.prompt(1 + index * 11 % 50, index, vocabulary: model.shape.vocabulary)
            return (Array(stem.prefix([40, 16, 0][index % 3])) + tail, index % 2 == 0 ? .last : .mean)
        }
    }

    @Test(arguments: [(400, 64, 8), (13, 9, 8), (13, 30, 3), (40, 1, 4)])
    func besideAnswersBothAreWhatTheyAreAlone(pages: Int, budget: Int, running: Int) throws {
        let texts = Self.texts(model)
        let vectors = try texts.map { try Self.vector($0.tokens, $0.pooling, model) }
        let requests = InvarianceTests.requests(10, model)
        let expected = try InvarianceTests.alone(requests, model)
        for shares in [false, true] {
            var configuration = InvarianceTests.configuration()
            configuration.cacheBytes = pages * CacheStorage.pageBytes(layers: model.shape.cache, pageSize: 16, type: .f32)
            configuration.tokenBudget = budget
            configuration.maximumRunning = running
            configuration.sharesPrefixes = shares
            let driver = try LoopDriver(model, configuration)
            var found = [Embedding?](repeating: nil, count: texts.count)
            var ids: [Int] = []
            for index in 0..<12 {
                var request = EmbeddingRequest(tokens: texts[index].tokens, pooling: texts[index].pooling)
                request.priority = index % 3 == 0 ? .interactive : .batch
                try driver.loop.embed(request, id: 1000 + index) { result in
                    #expect(found[index] == nil)
                    found[index] = try? result.get()
                }
                if index < 10 { ids.append(try driver.submit(requests[index])) }
                driver.loop.step()
            }
            #expect(driver.run().isEmpty)
            InvarianceTests.expectSame(ids.map { driver.answers[$0]! }, expected, "\(pages) pages")
            for (index, embedding) in found.enumerated() {
                let embedding = try #require(embedding)
                #expect(embedding.vector.map(\.bitPattern) == vectors[index].map(\.bitPattern), "text \(index)")
                #expect(embedding.statistics.promptTokens == texts[index].tokens.count)
                #expect(embedding.statistics.generatedTokens == 0)
            }
            let now = driver.loop.statistics
            #expect(now.embeddings == 12 && now.finished == 22 && now.usedPages == 0)
        }
    }

    @Test func theEngineServesThemWhileItAnswers() async throws {
        let texts = Self.texts(model)
        let vectors = try texts.map { try Self.vector($0.tokens, $0.pooling, model) }
        var configuration = InvarianceTests.configuration()
        configuration.sharesPrefixes = true
        let engine = try Engine(model: model, configuration: configuration)
        let long = try engine.start(GenerationRequest(prompt: [1, 2, 3], maximumTokens: 200))
        let answer = Task { try await EngineTests.collect(long.events) }
        try await withThrowingTaskGroup(of: (Int, Embedding).self) { group in
            for (index, text) in texts.enumerated() {
                group.addTask {
                    (index, try await engine.embed(EmbeddingRequest(tokens: text.tokens, pooling: text.pooling)))
                }
            }
            for try await (index, embedding) in group { #expect(embedding.vector == vectors[index]) }
        }
        #expect(try await answer.value.ids.count == 200)
    }

    @Test func whatCannotBeIsRefusedAndWhatIsTakenBackEnds() async throws {
        var configuration = InvarianceTests.configuration()
        configuration.cacheBytes = 3 * CacheStorage.pageBytes(layers: model.shape.cache, pageSize: 16, type: .f32)
        configuration.context = 60
        let engine = try Engine(model: model, configuration: configuration)
        func error(_ request: EmbeddingRequest) async -> EmbeddingError? {
            do {
                _ = try await engine.embed(request, input: 7)
                return nil
            } catch { return error as? EmbeddingError }
        }
        func text(_ length: Int) -> [Int32] { InvarianceTests.prompt(length, 1, vocabulary: model.shape.vocabulary) }
        #expect(await error(EmbeddingRequest(tokens: [])) == .empty(input: 7))
        #expect(await error(EmbeddingRequest(tokens: text(61))) == .tooLong(input: 7, tokens: 61, context: 60))
        #expect(
            await error(EmbeddingRequest(tokens: text(50)))
                == .engine(input: 7, .cacheTooSmall(neededPages: 4, pages: 3, pageSize: 16)))
        #expect(
            await error(EmbeddingRequest(tokens: [1, -1]))
                == .engine(
                    input: 7, .tokenOutOfRange(token: -1, position: 1, vocabulary: model.shape.vocabulary)))
        var late = EmbeddingRequest(tokens: text(20))
        late.deadline = .now - .seconds(1)
        #expect(await error(late) == .ended(input: 7, .deadline))
        #expect(await error(EmbeddingRequest(tokens: text(48))) == nil)
        // Taken back while it waits for room.
        let gate = Gate(holdsToken: 1)
        let blocker = try engine.start(GenerationRequest(prompt: text(40), maximumTokens: 8, stop: gate))
        let task = Task { try await engine.embed(EmbeddingRequest(tokens: text(48))) }
        task.cancel()
        gate.open()
        let ended = await task.result
        if case .failure(let error) = ended { #expect(error as? EmbeddingError == .ended(input: 0, .cancelled)) }
        blocker.cancel()
        #expect(await error(EmbeddingRequest(tokens: text(48))) == nil)
    }
}
