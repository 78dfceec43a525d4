import Foundation
import Inference
import Models
import Tensors
import TestKit
import Testing

/// Thousands of random events on one engine (submissions, parallel samples, forks, texts to embed, cancellations, deadlines, changes of
/// priority and of memory, steps), under every policy, with swapping, tiers, masks and a target for the time between tokens: after each the laws of the cache hold, and every request gets the answer it gets alone, or the
/// beginning of it where it was ended early.
///
/// `APUS_RANDOM_EVENTS=100000` sets the number of events of each engine.
@Suite struct RandomMixTests {
    /// What one submission got, and what it should get.
    final class Record {
        let kind: Int
        let sample: UInt32
        /// The tokens of the answer that it began with.
        let kept: Int
        /// The whole answer.
        let expected: Expected
        var deadline: Int?
        var ids: [Int32] = []
        var logprobs: [Float] = []
        var ends: [FinishReason] = []
        var errors: [EngineError] = []

        init(kind: Int, sample: UInt32, kept: Int, expected: Expected) {
            (self.kind, self.sample, self.kept, self.expected) = (kind, sample, kept, expected)
        }

        var isOver: Bool { !ends.isEmpty || !errors.isEmpty }
    }

    /// A text to be embedded, and what came of it.
    final class TextRecord {
        let expected: [Float]
        let deadline: Int?
        var results: [Result<Embedding, EmbeddingError>] = []

        init(expected: [Float], deadline: Int?) { (self.expected, self.deadline) = (expected, deadline) }
    }

    struct Expected {
        var ids: [Int32]
        var logprobs: [Float]
    }

    /// Prompts that share beginnings, some of whole pages, greedy and sampled, with and without prompt scores.
    static func kinds(_ model: any Model) -> [GenerationRequest] {
        let stems = (0..<3).map { InvarianceTests.prompt(48, $0, vocabulary: model.shape.vocabulary) }
        return (0..<18).map { kind in
            let tail = InvarianceTests.prompt(kind * 5 % 33, kind, vocabulary: model.shape.vocabulary)
            var sampling = SamplingParameters()
            sampling.temperature = kind % 2 == 0 ? 0 : 1
            sampling.logprobs = 0
            var request = GenerationRequest(
                prompt: Array(stems[kind % 3].prefix([48, 32, 17, 1][kind % 4])) + tail, sampling: sampling,
                maximumTokens: kind * 7 % 23, seed: UInt64(kind), promptLogprobs: kind % 6 == 5 ? 1 : nil)
            request.user = "user \(kind % 4)"
            request.cacheSalt = kind % 7 == 6 ? "apart" : nil
            request.reuse = [nil, .needed, .notNeeded][kind % 3]
            if kind % 5 == 4 { request.mask = ChoiceTests.Ladder() }
            return request
        }
    }

    /// What requests and forks get alone, worked out once each.
    final class Oracle {
        private struct Key: Hashable {
            let kind: Int
            let sample: UInt32
            let kept: [Int32]
        }

        let model: any Model
        let kinds: [GenerationRequest]
        private var known: [Key: Expected] = [:]
        private var vectors: [Int: [Float]] = [:]

        /// The vector of a text: every second prompt is pooled by its last token, the others by the mean.
        func vector(_ kind: Int) throws -> [Float] {
            if let vector = vectors[kind] { return vector }
            let vector = try EngineEmbeddingTests.vector(kinds[kind].prompt, Self.pooling(kind), model)
            vectors[kind] = vector
            return vector
        }

        static func pooling(_ kind: Int) -> EmbeddingPooling { kind / 3 % 2 == 0 ? .last : .mean }

        init(_ model: any Model) {
            self.model = model
            kinds = RandomMixTests.kinds(model)
        }

        /// The whole answer of a request of this kind whose answer begins with the kept tokens.
        func answer(_ kind: Int, _ sample: UInt32, keeping kept: Expected) throws -> Expected {
            let key = Key(kind: kind, sample: sample, kept: kept.ids)
            if let answer = known[key] { return answer }
            var request = kinds[kind]
            request.prompt += kept.ids
            request.sampleIndex = sample
            request.maximumTokens! -= kept.ids.count
            request.promptLogprobs = nil
            let rest = try InvarianceTests.alone([request], model)[0]
            let whole = Expected(ids: kept.ids + rest.ids, logprobs: kept.logprobs + rest.logprobs)
            known[key] = whole
            return whole
        }
    }

    struct Shape: Sendable, CustomTestStringConvertible {
        var name: String
        var pages: Int
        var budget: Int
        var running: Int
        var shares: Bool
        var order = SchedulingOrder.priority
        var eviction = EvictionOrder.cost
        var swap = 0
        var stores = false
        var target: Duration?
        var threads = 1
        var testDescription: String { name }
    }

    static let shapes = [
        Shape(name: "plenty", pages: 400, budget: 64, running: 64, shares: true),
        Shape(name: "short of pages", pages: 12, budget: 64, running: 64, shares: true, eviction: .marking),
        Shape(name: "short of pages, nothing shared", pages: 12, budget: 64, running: 8, shares: false, order: .fair),
        Shape(name: "short of everything", pages: 14, budget: 5, running: 4, shares: true, order: .prefix),
        Shape(name: "swapping", pages: 13, budget: 48, running: 16, shares: true, eviction: .recency, swap: 9),
        Shape(
            name: "within a target", pages: 16, budget: 64, running: 12, shares: true, order: .arrival, eviction: .marking,
            swap: 7, target: .microseconds(2500), threads: 2),
        Shape(
            name: "every tier", pages: 15, budget: 32, running: 12, shares: true, order: .fair, swap: 5, stores: true),
    ]

    static let events = ProcessInfo.processInfo.environment["APUS_RANDOM_EVENTS"].flatMap { Int($0) } ?? 2000

    /// One engine and everything that was asked of it.
    final class Run {
        let loop: EngineLoop
        let oracle: Oracle
        let shape: Shape
        var dice = Dice(state: 5)
        var records: [Record] = []
        var live: [Int] = []
        var texts: [TextRecord] = []
        static let firstText = 1_000_000
        var time = 0
        var broken = 0
        private let page: Int
        private let model: TimedModel

        init(_ shape: Shape, _ oracle: Oracle, folder: String) throws {
            (self.shape, self.oracle) = (shape, oracle)
            model = TimedModel(oracle.model) { 0.0001 * Double($0) }
            page = CacheStorage.pageBytes(layers: oracle.model.shape.cache, pageSize: 16, type: .f32)
            var configuration = InvarianceTests.configuration()
            configuration.cacheBytes = shape.pages * page
            configuration.tokenBudget = shape.budget
            configuration.maximumRunning = shape.running
            configuration.sharesPrefixes = shape.shares
            configuration.scheduling = shape.order
            configuration.eviction = shape.eviction
            configuration.swapBytes = shape.swap * page
            configuration.targetITL = shape.target
            configuration.threads = shape.threads
            if shape.stores {
                configuration.prefixStore = PrefixStoreConfiguration(folder: folder, maximumBytes: 30 * page)
            }
            loop = try EngineLoop(model: model, configuration: configuration)
            loop.now = { [unowned self] in model.clock + .milliseconds(time) }
        }

        func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &dice) < percent }

        func check(_ event: String) {
            let violations = loop.violations()
            if !violations.isEmpty, broken < 3 { Issue.record("after \(event): \(violations.prefix(4))") }
            broken += violations.isEmpty ? 0 : 1
            live.removeAll { records[$0].isOver }
        }

        func take(_ record: Record, _ outcome: Result<GenerationEvent, EngineError>) {
            switch outcome {
            case .success(.token(let token)):
                record.ids.append(token.id)
                record.logprobs.append(token.logprob ?? .nan)
            case .success(.finished(let reason, _)): record.ends.append(reason)
            case .success(.prompt): break
            case .failure(let error): record.errors.append(error)
            }
        }

        func add(_ kind: Int, _ sample: UInt32, keeping kept: Expected, _ deadline: Int?) throws -> Record {
            let expected = try oracle.answer(kind, sample, keeping: kept)
            let record = Record(kind: kind, sample: sample, kept: kept.ids.count, expected: expected)
            record.deadline = deadline
            live.append(records.count)
            records.append(record)
            return record
        }

        func submit() throws {
            let kind = Int.random(in: 0..<oracle.kinds.count, using: &dice)
            var request = oracle.kinds[kind]
            request.priority = chance(50) ? .interactive : .batch
            var deadline: Int?
            if chance(15) {
                deadline = time + Int.random(in: 0..<90, using: &dice)
                request.deadline = model.clock + .milliseconds(deadline!)
            }
            let samples = chance(20) && request.promptLogprobs == nil ? Int.random(in: 2...5, using: &dice) : 1
            let first = records.count
            let none = Expected(ids: [], logprobs: [])
            let group = try (0..<samples).map { try add(kind, UInt32($0), keeping: none, deadline) }
            let requests = (0..<samples).map { sample in
                var copy = request
                copy.sampleIndex = UInt32(sample)
                return copy
            }
            try loop.submit(samples: requests, id: first) { [unowned self] in take(group[$0], $1) }
        }

        func fork() throws {
            guard let original = live.randomElement(using: &dice) else { return }
            let source = records[original]
            let have = source.kept + source.ids.count
            let kept = chance(30) ? have : Int.random(in: 0...have, using: &dice)
            guard kept < oracle.kinds[source.kind].maximumTokens! else { return }
            let sample = chance(50) ? source.sample : source.sample + 1
            let beginning = Expected(
                ids: Array(source.expected.ids.prefix(kept)), logprobs: Array(source.expected.logprobs.prefix(kept)))
            let record = try add(source.kind, sample, keeping: beginning, source.deadline)
            try loop.fork(original, Fork(at: kept, sampleIndex: sample), id: records.count - 1) { [unowned self] in
                take(record, $0)
            }
        }

        func embed() throws {
            let kind = Int.random(in: 0..<oracle.kinds.count, using: &dice)
            var request = EmbeddingRequest(tokens: oracle.kinds[kind].prompt, pooling: Oracle.pooling(kind))
            request.priority = chance(50) ? .interactive : .batch
            request.user = oracle.kinds[kind].user
            request.cacheSalt = oracle.kinds[kind].cacheSalt
            request.reuse = oracle.kinds[kind].reuse
            var deadline: Int?
            if chance(15) {
                deadline = time + Int.random(in: 0..<40, using: &dice)
                request.deadline = model.clock + .milliseconds(deadline!)
            }
            let record = TextRecord(expected: try oracle.vector(kind), deadline: deadline)
            texts.append(record)
            try loop.embed(request, id: Self.firstText + texts.count - 1) { record.results.append($0) }
        }

        func event() throws {
            switch Int.random(in: 0..<100, using: &dice) {
            case 0..<12 where live.count < 60:
                try submit()
                check("a submission")
            case 12..<17 where live.count < 60:
                try fork()
                check("a fork")
            case 26..<30 where live.count < 60:
                try embed()
                check("a text to embed")
            case 30..<31 where !texts.isEmpty:
                loop.cancel(id: Self.firstText + Int.random(in: max(0, texts.count - 3)..<texts.count, using: &dice))
                check("a text taken back")
            case 17..<21 where !records.isEmpty:
                // Mostly someone present, sometimes someone who is long done.
                loop.cancel(
                    id: chance(20)
                        ? Int.random(in: 0..<records.count, using: &dice) : live.randomElement(using: &dice) ?? 0)
                check("a cancellation")
            case 21..<24:
                if let id = live.randomElement(using: &dice) {
                    loop.setPriority(chance(50) ? .interactive : .batch, id: id)
                    check("a change of priority")
                }
            case 24..<26:
                // Rarely so little that some can never run.
                let pages = chance(5) ? 5 : Int.random(in: min(9, shape.pages)...shape.pages, using: &dice)
                loop.setCacheBytes(pages * page)
                let now = loop.statistics
                if now.usedPages + now.cachedPages > pages { Issue.record("\(pages) pages allowed: \(now)") }
                check("a change of memory")
            default:
                time += Int.random(in: 0..<3, using: &dice)
                loop.step()
                check("a step")
            }
        }

        func finish() {
            loop.setCacheBytes(shape.pages * page)
            while !loop.isIdle {
                time += 1
                loop.step()
                check("a step")
            }
        }
    }

    @Test(arguments: shapes) func lawsHoldAfterEveryEvent(_ shape: Shape) throws {
        let oracle = Oracle(try InvarianceTests.load("models/llama-plain"))
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("apus-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let run = try Run(shape, oracle, folder: folder)
        for _ in 0..<Self.events { try run.event() }
        run.finish()
        let now = run.loop.statistics
        #expect(now.freePages + now.cachedPages == now.pages, "all pages but the index's are free")
        #expect(now.submitted == run.records.count + run.texts.count)
        #expect(now.finished + now.cancelled + now.failed == now.submitted)
        #expect(run.broken == 0)
        var vectors = 0
        for (index, text) in run.texts.enumerated() {
            #expect(text.results.count == 1, "text \(index) ends once")
            switch text.results.first {
            case .success(let embedding):
                vectors += 1
                #expect(embedding.vector.map(\.bitPattern) == text.expected.map(\.bitPattern), "text \(index)")
            case .failure(.ended(_, .deadline)): #expect(text.deadline != nil)
            case .failure(.ended(_, .cancelled)), .failure(.engine(_, .cacheTooSmall)), nil: break
            case .failure(let error): Issue.record("text \(index): \(error)")
            }
        }
        #expect(vectors == now.embeddings && vectors > Self.events / 60)
        var counts: [String: Int] = [:]
        for (id, record) in run.records.enumerated() {
            #expect(record.ends.count + record.errors.count == 1, "request \(id) ends once")
            let expected = Array(record.expected.ids.dropFirst(record.kept))
            let logprobs = record.expected.logprobs.dropFirst(record.kept).map(\.bitPattern)
            let bits = record.logprobs.map(\.bitPattern)
            if record.ends == [.length] {
                #expect(record.ids == expected && bits == logprobs, "request \(id), kind \(record.kind)")
            } else {
                #expect(expected.starts(with: record.ids) && logprobs.starts(with: bits), "request \(id), ended early")
            }
            for error in record.errors {
                if case .cacheTooSmall(let needed, 5, 16) = error, needed > 5 { continue }
                Issue.record("request \(id): \(error)")
            }
            counts[record.ends.first?.rawValue ?? "error", default: 0] += 1
            counts["forks", default: 0] += record.kept > 0 ? 1 : 0
        }
        #expect(
            counts["length"]! > Self.events / 30 && counts["cancelled"]! > 5 && counts["deadline"]! > 5, "\(counts)")
        #expect(counts["forks"]! > 5 && now.forks > 5)
        if shape.pages < 20 { #expect(now.preemptions > 0 && (now.evictions > 0 || !shape.shares)) }
        if shape.swap > 0 { #expect(now.swappedInPages + now.loadedPages > 0) }
    }
}
