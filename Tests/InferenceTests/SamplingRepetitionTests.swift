import Inference
import Testing

@Suite struct SamplingRepetition {
    static let row: [Float] = [2, -1, 0.5, 1, -2, 3]

    /// The scores after a stage, up to a constant: compares with softmax of what they should be.
    func expect(
        _ scores: [Float], _ request: SamplingParameters, prompt: [Int32] = [], generated: [Int32] = [],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let ours = try distribution(SamplingRepetition.row, request, prompt: prompt, generated: generated)
        #expect(isClose(ours, softmax(scores), tolerance: 1e-6), sourceLocation: sourceLocation)
    }

    @Test func repetitionLooksAtPromptAndAnswerWithinTheWindow() throws {
        var request = parameters { $0.repetitionPenalty = 2 }
        try expect([1, -2, 0.5, 0.5, -2, 3], request, prompt: [0, 1], generated: [3, 3, 0])
        request.penaltyLastN = 3
        try expect([1, -1, 0.5, 0.5, -2, 3], request, prompt: [0, 1], generated: [3, 3, 0])
        request.penaltyLastN = 0
        try expect(SamplingRepetition.row, request, prompt: [0, 1], generated: [3, 3, 0])
    }

    @Test func presenceAndFrequencyCountTheAnswer() throws {
        var request = parameters {
            $0.presencePenalty = 0.5
            $0.frequencyPenalty = 0.25
        }
        try expect([1.25, -1, 0.5, 0, -2, 3], request, prompt: [0, 1, 1], generated: [3, 0, 3])
        request.penalizesPrompt = true
        try expect([1, -2, 0.5, 0, -2, 3], request, prompt: [0, 1, 1], generated: [3, 0, 3])
        request.penaltyLastN = 4
        try expect([1.25, -1.75, 0.5, 0, -2, 3], request, prompt: [0, 1, 1], generated: [3, 0, 3])
        request.repetitionPenalty = 2
        try expect([0.25, -2.75, 0.5, -0.5, -2, 3], request, prompt: [0, 1, 1], generated: [3, 0, 3])
    }

    @Test func idsOutsideTheVocabularyArePassedOver() throws {
        let request = parameters {
            $0.repetitionPenalty = 2
            $0.dryMultiplier = 1
            $0.noRepeatNGram = 4
        }
        // Token 0 is repeated, and would continue (-1, 99).
        try expect([0, -1, 0.5, 1, -2, 3], request, prompt: [-1, 99, 0, 99, -1, 99])
        let banned = try distribution(SamplingRepetition.row, parameters { $0.noRepeatNGram = 1 }, prompt: [-1, 5, 99])
        #expect(isClose(banned, softmax([2, -1, 0.5, 1, -2, -.infinity] as [Float])))
    }

    /// The definition, token by token and occurrence by occurrence.
    static func penalties(
        _ history: [Int32], vocabulary: Int, multiplier: Double, base: Double, allowed: Int, lastN: Int,
        breakers: [[Int32]]
    ) -> [Double] {
        let window = Array(history.suffix(lastN))
        var limit = window.count
        for breaker in breakers where breaker.count <= window.count {
            for end in breaker.count...window.count where Array(window[(end - breaker.count)..<end]) == breaker {
                limit = min(limit, window.count - end)
            }
        }
        return (0..<vocabulary).map { token in
            guard !breakers.contains([Int32(token)]) else { return 0 }
            var longest = 0
            for place in window.indices.dropFirst() where window[place] == Int32(token) {
                var length = 0
                while length < place && length < limit
                    && window[place - 1 - length] == window[window.count - 1 - length]
                {
                    length += 1
                }
                longest = max(longest, length)
            }
            return longest >= allowed ? multiplier * power(base, Double(longest - allowed)) : 0
        }
    }

    @Test func dryPenalisesContinuedRepetitions() throws {
        var generator = TestGenerator(12)
        var touched = 0
        for round in 0..<150 {
            let row = generator.row(6)
            let distinct = Int32.random(in: 1...6, using: &generator)
            let history = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
                Int32.random(in: 0..<distinct, using: &generator)
            }
            let breakers: [[Int32]] = [[], [[2]], [[1, 1], [4]], [[0, 1, 2], [5]]][round % 4]
            let allowed = Int.random(in: 1...3, using: &generator)
            let lastN = round % 3 == 0 ? 12 : 1000
            let expected = SamplingRepetition.penalties(
                history, vocabulary: 6, multiplier: 0.8, base: 1.25, allowed: allowed, lastN: lastN, breakers: breakers)
            if expected.contains(where: { $0 > 0 }) { touched += 1 }
            let ours = try distribution(
                row,
                parameters {
                    $0.dryMultiplier = 0.8
                    $0.dryBase = 1.25
                    $0.dryAllowedLength = allowed
                    $0.dryPenaltyLastN = lastN
                    $0.drySequenceBreakers = breakers.filter { !$0.isEmpty }
                }, generated: history)
            let scores = row.indices.map { Double(row[$0]) - expected[$0] }
            #expect(isClose(ours, softmax(scores)), "round \(round): \(history)")
        }
        #expect(touched > 60)
    }

    @Test func dryStaysFiniteOnLongRepetitions() throws {
        let ours = try distribution(
            [0, 5, 1],
            parameters {
                $0.dryMultiplier = 10000
                $0.dryBase = 100
                $0.temperature = 1e-6
            }, generated: [Int32](repeating: 1, count: 3000))
        #expect(ours == [0, 0, 1])
    }
}
