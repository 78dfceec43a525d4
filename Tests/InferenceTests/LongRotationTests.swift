import Inference
import Models
import TestKit
import Testing

/// Law 3 where a rotation depends on length: the variant is fixed at submission and is part of what a page is known by.
/// The checkpoint rotates sequences of more than 256 positions otherwise than shorter ones.
@Suite struct LongRotationTests {
    let model: any Model

    init() throws { model = try InvarianceTests.load("models/phi3-longrope-short") }

    func request(_ prompt: [Int32], limit: Int) -> GenerationRequest {
        var sampling = SamplingParameters()
        sampling.temperature = 0
        sampling.logprobs = 0
        return GenerationRequest(prompt: prompt, sampling: sampling, maximumTokens: limit - prompt.count)
    }

    func prompt(_ length: Int) -> [Int32] { InvarianceTests.prompt(length, 9, vocabulary: model.shape.vocabulary) }

    @Test func theTwoVariantsDiffer() throws {
        #expect(model.rotationVariant(length: 256) != model.rotationVariant(length: 257))
        let answers = try InvarianceTests.alone(
            [request(prompt(60), limit: 70), request(prompt(60), limit: 270)], model)
        #expect(answers[0].logprobs[0] != answers[1].logprobs[0])
    }

    @Test func pagesOfOneVariantDoNotServeTheOther() throws {
        let short = request(prompt(60), limit: 70)
        let long = request(prompt(60), limit: 270)
        let expected = try InvarianceTests.alone([short, long], model)
        for order in [[0, 1], [1, 0]] {
            var configuration = InvarianceTests.configuration()
            configuration.sharesPrefixes = true
            let driver = try LoopDriver(model, configuration)
            for index in order + order {
                let answer = try driver.run([[short, long][index]])[0]
                InvarianceTests.expectSame([answer], [expected[index]], "order \(order), request \(index)")
            }
            let known = try driver.run([short, long])
            InvarianceTests.expectSame(known, expected, "both known, order \(order)")
            #expect(known.allSatisfy { $0.statistics.cachedTokens == 48 })
        }
    }

    /// An answer that grows past 256 positions is rotated as its limit says from its first position on: the reference is
    /// the network stepped by hand with that variant.
    @Test func theVariantIsFixedAtSubmission() throws {
        let request = request(prompt(245), limit: 280)
        let answer = try InvarianceTests.alone([request], model)[0]
        #expect(answer.ids.count == 35)
        let runner = ModelRunner(model)
        let sequence = runner.sequence(request.prompt, length: 280)
        var last = runner.prefill(sequence).last!
        for (index, id) in answer.ids.enumerated() {
            #expect(argmax(last) == id, "token \(index)")
            sequence.tokens.append(id)
            last = runner.prefill(sequence).last!
        }
    }

    @Test func aContinuationEqualsTheWhole() throws {
        let whole = try InvarianceTests.alone([request(prompt(245), limit: 280)], model)[0]
        for cut in [1, 11, 12, 20] {
            let rest = try InvarianceTests.alone(
                [request(prompt(245) + whole.ids.prefix(cut), limit: 280)], model)[0]
            #expect(rest.ids == Array(whole.ids.dropFirst(cut)), "cut after \(cut)")
            #expect(
                rest.logprobs.map(\.bitPattern) == whole.logprobs.dropFirst(cut).map(\.bitPattern), "cut after \(cut)")
        }
    }
}
