import Inference
import Testing

/// The stages that transformers has no counterpart for, and ties, against references that sort everything in doubles.
@Suite struct SamplingShape {
    @Test func topKKeepsTheLowerIdsAmongEquals() throws {
        var generator = TestGenerator(1)
        for k in [1, 2, 5, 20, 63, 64, 65, 1000] {
            let row = generator.row(64, isCoarse: true)
            let kept = Set(descending(row.map(Double.init)).prefix(k))
            let expected = renormalised(softmax(row), keeping: kept)
            #expect(isClose(try distribution(row, parameters { $0.topK = k }), expected), "k \(k)")
        }
    }

    @Test func topPTakesWholeTokensUntilTheMassIsReached() throws {
        var generator = TestGenerator(2)
        for p in [1e-9, 0.1, 0.33, 0.5, 0.77, 0.9, 0.99] as [Float] {
            let row = generator.row(300, isCoarse: p == 0.5)
            let probabilities = softmax(row)
            var kept: Set<Int> = []
            var mass = 0.0
            for place in descending(row.map(Double.init)) where mass < Double(p) {
                kept.insert(place)
                mass += probabilities[place]
            }
            let ours = try distribution(row, parameters { $0.topP = p })
            #expect(isClose(ours, renormalised(probabilities, keeping: kept)), "p \(p)")
        }
    }

    @Test func topPOfEqualScoresKeepsTheLowestIds() throws {
        let ours = try distribution([Float](repeating: -2, count: 10), parameters { $0.topP = 0.35 })
        #expect(isClose(ours, [0.25, 0.25, 0.25, 0.25, 0, 0, 0, 0, 0, 0]))
        let zeros = try distribution([-0.0, 0, -0.0, 0], parameters { $0.topP = 0.5 })
        #expect(isClose(zeros, [0.5, 0.5, 0, 0]))
    }

    @Test func topNSigmaUsesThePopulationDeviationOfAllowedScores() throws {
        var generator = TestGenerator(3)
        for n in [0.3, 1, 2.2] as [Float] {
            var row = generator.row(100)
            row[7] = -.infinity
            let finite = row.filter { $0 > -.infinity }.map(Double.init)
            let mean = finite.reduce(0, +) / 99
            let deviation = (finite.reduce(0) { $0 + $1 * $1 } / 99 - mean * mean).squareRoot()
            let border = finite.max()! - Double(n) * deviation
            let kept = Set(row.indices.filter { Double(row[$0]) >= border })
            let ours = try distribution(row, parameters { $0.topNSigma = n })
            #expect(isClose(ours, renormalised(softmax(row), keeping: kept)), "n \(n)")
        }
    }

    @Test func dynamicTemperatureFollowsTheEntropy() throws {
        var generator = TestGenerator(4)
        for spread in [0.2, 1, 3] {
            let row = generator.row(50, spread: spread)
            let entropy = -softmax(row).reduce(0) { $0 + $1 * logarithm($1) }
            let temperature = 0.5 + 1.5 * power(entropy / logarithm(50), 1.5)
            let expected = softmax(row.map { Double($0) / temperature })
            let ours = try distribution(
                row,
                parameters {
                    $0.temperature = 1.25
                    $0.dynamicTemperatureRange = 0.75
                    $0.dynamicTemperatureExponent = 1.5
                })
            #expect(isClose(ours, expected), "spread \(spread)")
        }
        // Certain rows have entropy 0 and the lowest temperature, here 0.
        let certain = try distribution(
            [0, 500, 499.5],
            parameters {
                $0.topK = 2
                $0.temperature = 0
                $0.dynamicTemperatureRange = 1e-5
            })
        #expect(certain == [0, 1, 0])
    }

    @Test func xtcRemovesAllTopChoicesButTheLeastProbable() throws {
        let row: [Float] = [3, 2.9, 2.5, 1, 2.4, 0, -.infinity]
        let p = softmax(row)
        let top = row.indices.filter { p[$0] >= 0.12 }
        #expect(top == [0, 1, 2, 4])
        let request = parameters {
            $0.xtcProbability = 1
            $0.xtcThreshold = 0.12
        }
        #expect(isClose(try distribution(row, request), renormalised(p, keeping: [3, 4, 5])))
        // One top choice alone stays.
        #expect(isClose(try distribution([9, 1, 0], request), softmax([9, 1, 0] as [Float])))
        // Equally probable ones: the highest id stays.
        #expect(
            isClose(try distribution([2, 2, 2, -3], request), softmax([-.infinity, -.infinity, 2, -3] as [Float])))
    }

    @Test func xtcActsAtTheAddressedShareOfPositions() throws {
        let row: [Float] = [3, 3, 1]
        var acted = 0
        for position in 0..<400 {
            let ours = try distribution(row, parameters { $0.xtcProbability = 0.3 }, seed: 5, position: position)
            let chance = AddressedNoise(seed: 5).uniform(position: position, purpose: .exclusion)
            #expect((ours[0] == 0) == (chance < 0.3))
            if ours[0] == 0 { acted += 1 }
        }
        #expect(acted > 80 && acted < 160)
    }

    @Test func minPKeepsTheBestOfAllOnlyAtOne() throws {
        #expect(isClose(try distribution([1, 3, 3, 2], parameters { $0.minP = 1 }), [0, 0.5, 0.5, 0]))
    }

    /// Thousands of candidates, several digits of the selection, against a full sort.
    @Test func selectionEqualsAFullSort() throws {
        var generator = TestGenerator(6)
        for (round, spread) in [0.001, 0.5, 30].enumerated() {
            let row = generator.row(2000, spread: spread, isCoarse: round == 2)
            for k in [1, 40, 1999] {
                let token = try choose(
                    row,
                    parameters {
                        $0.topK = k
                        $0.logprobs = 2000
                        $0.logprobSource = .sampled
                    })
                let expected = descending(row.map(Double.init)).prefix(k).map(Int32.init)
                #expect(token.topLogprobs.map(\.id) == expected, "k \(k), spread \(spread)")
            }
        }
    }
}
