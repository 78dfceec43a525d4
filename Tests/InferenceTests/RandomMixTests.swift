import Inference
import Models
import Tensors
import TestKit
import Testing

/// Thousands of random events on one engine: after each the laws of the cache hold, and every request gets the answer it
/// gets alone, or the beginning of it where it was cancelled.
@Suite struct RandomMixTests {
    /// What one submission got.
    final class Record {
        let kind: Int
        var ids: [Int32] = []
        var logprobs: [Float] = []
        var ends: [FinishReason] = []

        init(kind: Int) { self.kind = kind }
    }

    /// Prompts that share beginnings, some of whole pages, greedy and sampled, with and without prompt scores.
    static func kinds(_ model: any Model) -> [GenerationRequest] {
        let stems = (0..<3).map { InvarianceTests.prompt(48, $0, vocabulary: model.shape.vocabulary) }
        return (0..<18).map { kind in
            let tail = InvarianceTests.prompt(kind * 5 % 33, kind, vocabulary: model.shape.vocabulary)
            var sampling = SamplingParameters()
            sampling.temperature = kind % 2 == 0 ? 0 : 1
            sampling.logprobs = 0
            return GenerationRequest(
                prompt: Array(stems[kind % 3].prefix([48, 32, 17, 1][kind % 4])) + tail, sampling: sampling,
                maximumTokens: kind * 7 % 23, seed: UInt64(kind), promptLogprobs: kind % 6 == 5 ? 1 : nil)
        }
    }

    struct Shape: Sendable, CustomTestStringConvertible {
        var name: String
        var pages: Int
        var budget: Int
        var running: Int
        var shares: Bool
        var testDescription: String { name }
    }

    static let shapes = [
        Shape(name: "plenty", pages: 400, budget: 64, running: 64, shares: true),
        Shape(name: "short of pages", pages: 9, budget: 64, running: 64, shares: true),
        Shape(name: "short of pages, nothing shared", pages: 9, budget: 64, running: 8, shares: false),
        Shape(name: "short of everything", pages: 14, budget: 5, running: 4, shares: true),
    ]

    @Test(arguments: shapes) func lawsHoldAfterEveryEvent(_ shape: Shape) throws {
        let model = try InvarianceTests.load("models/llama-plain")
        let kinds = Self.kinds(model)
        let expected = try InvarianceTests.alone(kinds, model)
        var configuration = InvarianceTests.configuration()
        configuration.cacheBytes =
            shape.pages * CacheStorage.pageBytes(layers: model.shape.cache, pageSize: 16, type: .f32)
        configuration.tokenBudget = shape.budget
        configuration.maximumRunning = shape.running
        configuration.sharesPrefixes = shape.shares
        let loop = try EngineLoop(model: model, configuration: configuration)
        var dice = Dice(state: 5)
        var records: [Record] = []
        var broken = 0
        func check(_ event: String) {
            let violations = loop.violations()
            if !violations.isEmpty, broken < 3 { Issue.record("after \(event): \(violations.prefix(4))") }
            broken += violations.isEmpty ? 0 : 1
        }
        for _ in 0..<2500 {
            switch UInt.random(in: 0..<100, using: &dice) {
            case 0..<14:
                let record = Record(kind: Int.random(in: 0..<kinds.count, using: &dice))
                records.append(record)
                try loop.submit(kinds[record.kind], id: records.count - 1) { outcome in
                    switch outcome {
                    case .success(.token(let token)):
                        record.ids.append(token.id)
                        record.logprobs.append(token.logprob ?? .nan)
                    case .success(.finished(let reason, _)): record.ends.append(reason)
                    case .success(.prompt): break
                    case .failure(let error): Issue.record("\(error)")
                    }
                }
                check("a submission")
            case 14..<19 where !records.isEmpty:
                // Mostly someone new, sometimes someone who is long done.
                let newest = Bool.random(using: &dice) ? max(0, records.count - 8) : 0
                loop.cancel(id: Int.random(in: newest..<records.count, using: &dice))
                check("a cancellation")
            default:
                loop.step()
                check("a step")
            }
        }
        while !loop.isIdle {
            loop.step()
            check("a step")
        }
        let use = loop.statistics
        #expect(use.freePages + use.indexedPages == use.pages, "all pages but the index's are free")
        #expect(records.count > 250 && records.count { $0.ends == [.cancelled] } > 15)
        for (id, record) in records.enumerated() {
            let reference = expected[record.kind]
            #expect(record.ends.count == 1, "request \(id) ends once")
            if record.ends == [.cancelled] {
                #expect(reference.ids.starts(with: record.ids), "request \(id), cancelled")
            } else {
                #expect(record.ids == reference.ids, "request \(id), kind \(record.kind)")
                #expect(record.logprobs.map(\.bitPattern) == reference.logprobs.map(\.bitPattern), "request \(id)")
            }
        }
    }
}
