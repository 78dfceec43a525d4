import Checkpoints
import Foundation
import Inference
import Models
import Testing

/// Embeddings against `transformers` in float32 (Workshop/Embeddings/goldens.py), and against themselves.
@Suite struct EmbeddingTests {
    struct Golden: Decodable {
        var text: String
        var ids: [Int32]
        var last: [Double]
        var mean: [Double]
    }

    static func model() throws -> any Model {
        let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try Catalog.load(try Checkpoint.open(repository.appendingPathComponent("Models/stories-draft").path))
    }

    static func goldens() throws -> [Golden] {
        let url = try #require(Bundle.module.url(forResource: "Goldens/embeddings", withExtension: "json"))
        return try JSONDecoder().decode([Golden].self, from: Data(contentsOf: url))
    }

    @Test(arguments: EmbeddingPooling.allCases) func vectorsAreTheReferences(pooling: EmbeddingPooling) throws {
        let goldens = try Self.goldens()
        #expect(goldens.count == 4)
        let embedder = try Embedder(model: try Self.model(), configuration: EngineConfiguration())
        let vectors = try embedder.vectors(goldens.map(\.ids), pooling: pooling)
        for (golden, vector) in zip(goldens, vectors) {
            let projections = (1...4).map { row in
                vector.enumerated().reduce(0) { $0 + cos(7 * Double(row * $1.offset)) * Double($1.element) }
            }
            let found = vector.prefix(16).map { Double($0) } + projections
            let expected = pooling == .last ? golden.last : golden.mean
            #expect(found.count == expected.count)
            for (one, other) in zip(found, expected) { #expect(abs(one - other) < 2e-5, "\(golden.text.prefix(20))") }
            #expect(abs(vector.reduce(0) { $0 + Double($1) * Double($1) } - 1) < 1e-6)
        }
    }

    /// Whatever is computed with it and however it is cut.
    @Test(arguments: EmbeddingPooling.allCases) func aVectorIsItsTextsAlone(pooling: EmbeddingPooling) throws {
        let model = try Self.model()
        let texts = try Self.goldens().map(\.ids)
        let together = try Embedder(model: model, configuration: EngineConfiguration()).vectors(
            texts + texts, pooling: pooling)
        var small = EngineConfiguration()
        small.tokenBudget = 7
        small.pageSize = 16
        small.threads = 1
        let cut = try Embedder(model: model, configuration: small)
        for (index, text) in texts.enumerated() {
            let alone = try cut.vectors([text], pooling: pooling)[0]
            #expect(alone.map(\.bitPattern) == together[index].map(\.bitPattern))
            #expect(alone.map(\.bitPattern) == together[index + texts.count].map(\.bitPattern))
        }
    }

    @Test func whatDoesNotFitIsRefused() throws {
        var configuration = EngineConfiguration()
        configuration.context = 10
        let embedder = try Embedder(model: try Self.model(), configuration: configuration)
        let fitting = [Int32](repeating: 5, count: 10)
        #expect(try embedder.vectors([fitting, fitting, fitting], pooling: .mean).count == 3)
        #expect(throws: EmbeddingError.tooLong(input: 1, tokens: 11, context: 10)) {
            try embedder.vectors([fitting, fitting + [5]], pooling: .last)
        }
        #expect(throws: EmbeddingError.empty(input: 0)) { try embedder.vectors([[]], pooling: .last) }
        #expect(try embedder.vectors([], pooling: .last).isEmpty)
    }
}
