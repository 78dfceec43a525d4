import Checkpoints
import Foundation
import Models
import TestKit
import Testing

/// Every architecture against an independent float32 implementation: logits at stored positions within 2e-4, and the
/// same greedy continuation.
@Suite struct ArchitectureTests {
    static let names = Goldens.names("models")

    @Test func goldensArePresent() {
        #expect(Self.names.count >= 20)
    }

    @Test(arguments: names) func agreesWithTheReference(_ name: String) throws {
        let folder = Goldens.folder.appendingPathComponent("models").appendingPathComponent(name)
        let (golden, logits) = try ModelGolden.load(folder)
        let model = try Catalog.load(Checkpoint.open(folder.path))
        #expect(model.shape.vocabulary == golden.vocab_size)
        for testCase in golden.cases {
            // The reference chooses a long-context rotation by the length at hand, so the variants are met one by one.
            let runner = ModelRunner(model)
            let sequence = runner.sequence(testCase.prompt, length: testCase.prompt.count)
            let rows = runner.prefill(sequence)
            var largest: Float = 0
            for (index, position) in testCase.positions.enumerated() {
                let start = testCase.offset + index * golden.vocab_size
                for (value, expected) in zip(rows[position], logits[start..<start + golden.vocab_size]) {
                    largest = max(largest, abs(value - expected))
                }
            }
            #expect(largest <= 2e-4, "\(name) \(testCase.name): logits differ by \(largest)")

            let continued = runner.sequence(testCase.prompt, length: testCase.prompt.count + testCase.greedy.count)
            var last = runner.prefill(continued).last!
            for (index, expected) in testCase.greedy.enumerated() {
                let token = argmax(last)
                #expect(token == expected, "\(name) \(testCase.name): token \(index)")
                guard token == expected else { break }
                continued.tokens.append(token)
                last = runner.prefill(continued).last!
            }
        }
    }
}
