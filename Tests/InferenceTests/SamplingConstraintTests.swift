import Inference
import Testing

@Suite struct SamplingConstraints {
    static let row: [Float] = [2, -1, 0.5, 1, -2, 3]

    @Test func biasesAddAndBan() throws {
        let ours = try distribution(
            SamplingConstraints.row, parameters { $0.logitBias = [0: -.infinity, 2: 2, 5: -1.5] })
        #expect(isClose(ours, softmax([-.infinity, -1, 2.5, 1, -2, 1.5] as [Float])))
        let greedy = try choose(
            SamplingConstraints.row,
            parameters {
                $0.temperature = 0
                $0.logitBias = [4: 100]
            })
        #expect(greedy.id == 4)
    }

    @Test func badWordsBanOnlyTheLastTokenOfACompleteSequence() throws {
        let request = parameters {
            $0.temperature = 0
            $0.badWords = [[0], [3, 2, 5]]
        }
        #expect(try choose(SamplingConstraints.row, request, generated: [3, 2]).id == 3)
        #expect(try choose(SamplingConstraints.row, request, generated: [2, 3]).id == 5)
        #expect(try choose(SamplingConstraints.row, request, prompt: [3], generated: [2]).id == 3)
        #expect(try choose(SamplingConstraints.row, request, generated: [2]).id == 5)
    }

    @Test func endsAreBannedUntilEnoughTokens() throws {
        let request = parameters {
            $0.temperature = 0
            $0.minTokens = 2
            $0.stopTokens = [0]
        }
        func id(_ generated: [Int32]) throws -> Int32 {
            try choose(SamplingConstraints.row, request, prompt: [1, 1, 1], generated: generated, endOfGeneration: [5])
                .id
        }
        #expect(try id([]) == 3)
        #expect(try id([4]) == 3)
        #expect(try id([4, 4]) == 5)
    }

    @Test func ignoringTheEndBansItThroughout() throws {
        let request = parameters {
            $0.ignoresEndOfGeneration = true
            $0.stopTokens = [0]
        }
        let ours = try distribution(SamplingConstraints.row, request, generated: [1, 2], endOfGeneration: [5, 3])
        #expect(isClose(ours, softmax([2, -1, 0.5, -.infinity, -2, -.infinity] as [Float])))
    }

    /// Opening [1], closing [2, 3], three tokens of thought; greedy would always say 5.
    @Test func thinkingIsClosedAfterItsBudget() throws {
        let request = parameters {
            $0.temperature = 0
            $0.thinkingBudget = ThinkingBudget(opening: [1], closing: [2, 3], tokens: 3)
            $0.badWords = [[2]]
        }
        func answer(_ prompt: [Int32], _ begun: [Int32], count: Int) throws -> [Int32] {
            var generated = begun
            for _ in 0..<count {
                generated.append(try choose(SamplingConstraints.row, request, prompt: prompt, generated: generated).id)
            }
            return generated
        }
        #expect(try answer([0, 1], [], count: 7) == [5, 5, 5, 2, 3, 5, 5])
        #expect(try answer([0], [1], count: 7) == [1, 5, 5, 5, 2, 3, 5, 5])
        // No block, or one that is closed already.
        #expect(try answer([0, 4], [], count: 5) == [5, 5, 5, 5, 5])
        #expect(try answer([1, 0, 2, 3], [], count: 5) == [5, 5, 5, 5, 5])
        // A second block has its own budget, and a closing that was begun is only completed.
        #expect(try answer([1, 2, 3, 1], [4], count: 5) == [4, 5, 5, 2, 3, 5])
        #expect(try answer([1], [4, 4, 2], count: 2) == [4, 4, 2, 3, 5])
    }

    @Test func aBudgetOfNothingClosesAtOnce() throws {
        let request = parameters {
            $0.thinkingBudget = ThinkingBudget(opening: [1, 4], closing: [2], tokens: 0)
            $0.logitBias = [2: -.infinity]
        }
        #expect(try choose(SamplingConstraints.row, request, prompt: [1, 4]).id == 2)
        #expect(try distribution(SamplingConstraints.row, request, prompt: [4, 1])[2] == 0)
    }

    struct OnlyEven: ScoreMask {
        func apply(to scores: UnsafeMutableBufferPointer<Float>, history: TokenHistory) {
            for index in scores.indices where (index + history.tokens.count) % 2 == 1 { scores[index] = -.infinity }
        }
    }

    @Test func masksComeBeforeTheStages() throws {
        let request = parameters {
            $0.topK = 2
            $0.temperature = 0
        }
        #expect(try choose(SamplingConstraints.row, request, mask: OnlyEven()).id == 0)
        #expect(try choose(SamplingConstraints.row, request, generated: [0], mask: OnlyEven()).id == 5)
        var seen: Set<Int32> = []
        for position in 0..<200 {
            seen.insert(
                try choose(SamplingConstraints.row, parameters { $0.topK = 2 }, position: position, mask: OnlyEven()).id
            )
        }
        #expect(seen == [0, 2])
    }

    @Test func banningEverythingIsAnError() throws {
        #expect(throws: SamplingError.noCandidate(position: 3)) {
            try choose([1, 2], parameters { $0.logitBias = [0: -.infinity, 1: -.infinity] }, position: 3)
        }
        let everyStage = parameters {
            $0.logitBias = [0: -.infinity, 1: -.infinity]
            $0.topK = 1
            $0.topP = 0.5
            $0.minP = 0.5
            $0.typicalP = 0.5
            $0.topNSigma = 1
            $0.xtcProbability = 1
            $0.dynamicTemperatureRange = 0.5
            $0.adaptiveTarget = 0.5
        }
        #expect(throws: SamplingError.noCandidate(position: 0)) { try choose([1, 2], everyStage) }
    }
}
