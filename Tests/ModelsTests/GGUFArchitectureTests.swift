import Checkpoints
import Foundation
import Models
import TestKit
import Testing

/// The same tiny models as GGUF files. Float weights must give the reference's logits; quantized weights are compared with a
/// reference that does not round activations to 8 bits, so they may differ by what that rounding explains.
@Suite struct GGUFArchitectureTests {
    static let names: [String] = {
        let folder = Goldens.folder.appendingPathComponent("gguf")
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return files.filter { $0.hasSuffix(".gguf") }.map { String($0.dropLast(5)) }.sorted()
    }()

    static func isQuantized(_ name: String) -> Bool { !["F32", "F16", "BF16"].contains { name.hasSuffix("-" + $0) } }

    @Test func goldensArePresent() {
        #expect(Self.names.count >= 20)
        #expect(Self.names.contains(where: Self.isQuantized))
    }

    @Test(arguments: names) func agreesWithTheReference(_ name: String) throws {
        let folder = Goldens.folder.appendingPathComponent("gguf")
        let (golden, logits) = try ModelGolden.load(folder, file: name + ".golden.json")
        let model = try Catalog.load(Checkpoint.open(folder.appendingPathComponent(name + ".gguf").path))
        for testCase in golden.cases {
            let runner = ModelRunner(model)
            let rows = runner.prefill(runner.sequence(testCase.prompt, length: testCase.prompt.count))
            var largest: Float = 0
            var squares: Float = 0
            for (index, position) in testCase.positions.enumerated() {
                let start = testCase.offset + index * golden.vocab_size
                for (value, expected) in zip(rows[position], logits[start..<start + golden.vocab_size]) {
                    largest = max(largest, abs(value - expected))
                    squares += (value - expected) * (value - expected)
                }
            }
            let rootMeanSquare = (squares / Float(testCase.positions.count * golden.vocab_size)).squareRoot()
            if Self.isQuantized(name) {
                #expect(rootMeanSquare <= 0.08, "\(name) \(testCase.name): \(rootMeanSquare), largest \(largest)")
            } else {
                #expect(largest <= 2e-4, "\(name) \(testCase.name): logits differ by \(largest)")
                #expect(try greedy(model, testCase) == testCase.greedy, "\(name) \(testCase.name)")
            }
        }
    }

    private func greedy(_ model: any Model, _ testCase: ModelGolden.Case) throws -> [Int32] {
        let runner = ModelRunner(model)
        let sequence = runner.sequence(testCase.prompt, length: testCase.prompt.count + testCase.greedy.count)
        var last = runner.prefill(sequence).last!
        for _ in testCase.greedy {
            sequence.tokens.append(argmax(last))
            last = runner.prefill(sequence).last!
        }
        return Array(sequence.tokens.dropFirst(testCase.prompt.count))
    }
}
