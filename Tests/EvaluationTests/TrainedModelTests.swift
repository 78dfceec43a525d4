import Checkpoints
import Evaluation
import Foundation
import Inference
import Models
import Tensors
import TestKit
import Testing

/// The models that we train, against what the trainer's framework computes from the same BF16 weights in float32: 200 greedy
/// tokens on from three prompts, and the perplexity of a passage.
@Suite struct TrainedModelTests {
    struct Golden: Decodable {
        struct Continuation: Decodable {
            var prompt: String
            var ids: [Int32]
            var continuation: [Int32]
        }
        struct Passage: Decodable {
            var ids: [Int32]
            var scored: Int
            var perplexity: Double
        }
        var continuations: [Continuation]
        var passage: Passage
    }

    static let names = ["stories", "stories-draft", "sums", "chat"]

    static func folder(_ name: String) -> URL {
        Goldens.folder.deletingLastPathComponent().appendingPathComponent("Models").appendingPathComponent(name)
    }

    static func engine(_ name: String) throws -> (Engine, Golden) {
        let folder = folder(name)
        let golden = try JSONDecoder().decode(
            Golden.self, from: Data(contentsOf: folder.appendingPathComponent("golden.json")))
        return (try Engine(model: Catalog.load(Checkpoint.open(folder.path))), golden)
    }

    @Test(arguments: names) func greedyTokensAreTheTrainers(_ name: String) async throws {
        let (engine, golden) = try Self.engine(name)
        #expect(golden.continuations.count == 3)
        for wanted in golden.continuations {
            var ids: [Int32] = []
            let request = GenerationRequest(
                prompt: wanted.ids, sampling: .greedy, maximumTokens: wanted.continuation.count)
            for try await event in try engine.submit(request) {
                if case .token(let token) = event { ids.append(token.id) }
            }
            #expect(ids.count == 200)
            #expect(ids == wanted.continuation, "\(name): \(wanted.prompt)")
        }
    }

    @Test(arguments: names) func perplexityIsTheTrainers(_ name: String) async throws {
        let (engine, golden) = try Self.engine(name)
        let passage = golden.passage
        let window = min(1024, engine.model.shape.context)
        let measured = try await Perplexity.measure(engine, tokens: passage.ids, window: window, stride: window)
        #expect(measured.tokens == passage.scored)
        #expect(abs(measured.value / passage.perplexity - 1) < 1e-3)
    }
}
