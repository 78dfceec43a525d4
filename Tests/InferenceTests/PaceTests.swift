import Inference
import Models
import Tensors
import TestKit
import Testing

/// A model that takes made-up time: what each pass takes is a function of its rows.
final class TimedModel: Model {
    let model: any Model
    nonisolated(unsafe) var clock = ContinuousClock.now
    nonisolated(unsafe) var last = 0.0
    let seconds: @Sendable (_ rows: Int) -> Double

    init(_ model: any Model, seconds: @escaping @Sendable (Int) -> Double) {
        self.model = model
        self.seconds = seconds
    }

    var shape: ModelShape { model.shape }

    func embed(_ batch: Batch, _ scratch: Scratch) {
        last = seconds(batch.rows.count)
        clock += .seconds(last)
        model.embed(batch, scratch)
    }

    func block(_ index: Int, _ batch: Batch, _ cache: any PagedCache, _ scratch: Scratch) {
        model.block(index, batch, cache, scratch)
    }

    func finalStates(_ batch: Batch, _ scratch: Scratch) -> Rows { model.finalStates(batch, scratch) }
    func head(_ batch: Batch, _ scratch: Scratch) { model.head(batch, scratch) }
    func rotationVariant(length: Int) -> Int { model.rotationVariant(length: length) }
}

/// The time between tokens: prompts are cut so that steps stay within it, on machines of any speed, and no bit changes.
@Suite struct PaceTests {
    static let machines: [(name: String, base: Double, row: Double)] = [
        ("fast", 0.0002, 0.00002), ("slow", 0.004, 0.0004), ("all base", 0.008, 0.000001), ("all rows", 0, 0.0003),
    ]

    @Test(arguments: 0..<4) func stepsStayWithinTheTarget(_ index: Int) throws {
        let plain = try InvarianceTests.load("models/llama-plain")
        let machine = Self.machines[index]
        let model = TimedModel(plain) { machine.base + machine.row * Double($0) }
        var sampling = SamplingParameters()
        sampling.logprobs = 0
        func request(_ length: Int, _ salt: Int, generate: Int) -> GenerationRequest {
            GenerationRequest(
                prompt: InvarianceTests.prompt(length, salt, vocabulary: plain.shape.vocabulary), sampling: sampling,
                maximumTokens: generate, seed: UInt64(salt))
        }
        let requests = [request(5, 1, generate: 200)] + (0..<8).map { request(200, $0 + 2, generate: 3) }
        let expected = try InvarianceTests.alone(requests, plain)
        func gaps(_ target: Duration?) throws -> (gaps: [Double], steps: Int) {
            var configuration = InvarianceTests.configuration()
            configuration.targetITL = target
            configuration.tokenBudget = 160
            let driver = try LoopDriver(model, configuration)
            driver.loop.now = { model.clock }
            let answer = try driver.submit(requests[0])
            for _ in 0..<8 { driver.loop.step() }
            let rest = try requests.dropFirst().map { try driver.submit($0) }
            var gaps: [Double] = []
            while driver.answers[answer]!.finish == nil {
                driver.loop.step()
                gaps.append(model.last)
            }
            driver.run()
            InvarianceTests.expectSame(([answer] + rest).map { driver.answers[$0]! }, expected, "\(machine.name)")
            return (gaps, driver.loop.statistics.steps)
        }
        // What 40 rows take: room for a chunk beside the answers.
        let target = machine.base + 40 * machine.row
        let free = try gaps(nil)
        let held = try gaps(.seconds(target))
        #expect(free.gaps.max()! > (machine.name == "all base" ? target * 0.9 : 2 * target))
        let late = held.gaps.count { $0 > target }
        #expect(late * 100 <= held.gaps.count, "\(machine.name): \(late) of \(held.gaps.count) steps took too long")
        // And the room is used: not just the smallest chunks.
        #expect(held.steps < free.steps + 1600 / 20, "\(machine.name): \(held.steps) and \(free.steps) steps")
    }
}
