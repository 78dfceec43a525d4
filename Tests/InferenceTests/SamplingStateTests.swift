import Inference
import Testing

@Suite struct SamplingStates {
    /// Mirostat 1 as its definition reads, from probabilities.
    static func mirostat1(_ row: [Float], mu: Double) -> [Double] {
        let p = softmax(row)
        let order = descending(p)
        var products = 0.0
        var squares = 0.0
        for rank in 0..<min(99, row.count - 1) {
            let t = logarithm(Double(rank + 2) / Double(rank + 1))
            products += t * logarithm(p[order[rank]] / p[order[rank + 1]])
            squares += t * t
        }
        let s = products / squares
        let e = s - 1
        let k = power(e * power(2, mu) / (1 - power(Double(row.count), -e)), 1 / s)
        return renormalised(p, keeping: Set(order.prefix(max(1, Int(min(k, 1e9))))))
    }

    /// Mirostat 2 as its definition reads.
    static func mirostat2(_ row: [Float], mu: Double) -> [Double] {
        let p = softmax(row)
        let kept = Set(p.indices.filter { -logarithm(p[$0]) / logarithm(2) <= mu } + descending(p).prefix(1))
        return renormalised(p, keeping: kept)
    }

    @Test(arguments: [1, 2])
    func mirostatTruncatesAndSteersToItsTarget(version: Int) throws {
        var generator = TestGenerator(UInt64(version))
        let request = parameters {
            $0.mirostat = version
            $0.mirostatTau = 3
            $0.mirostatEta = 0.2
        }
        let start = try Sampler(request, vocabulary: SamplingVocabulary(size: 300), seed: 1).initialState
        #expect(start.mirostatMu == 6)
        var state = start
        var mu = 6.0
        var surprise = 0.0
        for position in 0..<120 {
            let row = generator.row(300, spread: 1.5)
            let expected = version == 1 ? SamplingStates.mirostat1(row, mu: mu) : SamplingStates.mirostat2(row, mu: mu)
            let ours = try distribution(row, request, position: position, state: state)
            #expect(isClose(ours, expected), "position \(position)")
            let token = try choose(row, request, position: position, state: state)
            let observed = -logarithm(expected[Int(token.id)]) / logarithm(2)
            mu -= Double(Float(0.2)) * (observed - 3)
            #expect(abs(token.state.mirostatMu - mu) < 1e-4)
            state = token.state
            mu = state.mirostatMu
            if position >= 40 { surprise += observed / 80 }
        }
        #expect(abs(surprise - 3) < 0.25)
    }

    @Test func mirostatOnEqualScoresKeepsTwoToTheMu() throws {
        let ours = try distribution(
            [Float](repeating: 1, count: 100),
            parameters {
                $0.mirostat = 1
                $0.mirostatTau = 2
            })
        #expect(ours.filter { $0 > 0 }.count == 16)
    }

    @Test func adaptivePPrefersTheTargetAndCompensates() throws {
        let row: [Float] = [2, 1.5, 1, 0, -1, -.infinity]
        let request = parameters {
            $0.adaptiveTarget = 0.3
            $0.adaptiveDecay = 0.5
        }
        let p = softmax(row)
        let target = Double(Float(0.3))
        var sum = target / 0.5
        var weight = 2.0
        var state = try Sampler(request, vocabulary: SamplingVocabulary(size: 6), seed: 1).initialState
        for position in 0..<50 {
            let wanted = min(1, max(0, 2 * target - sum / weight))
            let scores = p.map { p -> Double in
                let d = abs(p - wanted) / 0.3
                return p == 0 ? -.infinity : 5 - 10 * d * d / (1 + d)
            }
            #expect(isClose(try distribution(row, request, position: position, state: state), softmax(scores)))
            let token = try choose(row, request, position: position, state: state)
            sum = p[Int(token.id)] + 0.5 * sum
            weight = 1 + 0.5 * weight
            state = token.state
            #expect(abs(state.adaptiveSum - sum) < 1e-5 && abs(state.adaptiveWeight - weight) < 1e-9)
        }
    }

    /// A rejected draft leaves no trace, and a fork that commits the same tokens stands where its sibling stands.
    @Test func stateMovesOnlyWithTheTokenThatCarriesIt() throws {
        var generator = TestGenerator(77)
        let rows = (0..<20).map { _ in generator.row(200) }
        let request = parameters {
            $0.mirostat = 2
            $0.mirostatTau = 4
        }
        func run(rejecting: Bool) throws -> [SampledToken] {
            var state = try Sampler(request, vocabulary: SamplingVocabulary(size: 200), seed: 1).initialState
            var tokens: [SampledToken] = []
            for (position, row) in rows.enumerated() {
                if rejecting {
                    let draft = try choose(generator.row(200), request, position: position, state: state)
                    _ = try choose(row, request, position: position + 1, state: draft.state)
                }
                let token = try choose(row, request, position: position, state: state)
                state = token.state
                tokens.append(token)
            }
            return tokens
        }
        #expect(try run(rejecting: false) == run(rejecting: true))
    }

    @Test func methodsWithoutMemoryLeaveTheStateAlone() throws {
        let start = try Sampler(SamplingParameters(), vocabulary: SamplingVocabulary(size: 3), seed: 1).initialState
        #expect(try choose([1, 2, 3], parameters { $0.topP = 0.9 }).state == start)
        #expect(try choose([1, 2, 3], .greedy).state == start)
    }
}
