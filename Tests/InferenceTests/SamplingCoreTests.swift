import Inference
import Testing

@Suite struct SamplingCore {
    static let row: [Float] = [0.5, 2, -1, 2, 0, 1.25, -3, 1]

    @Test func greedyTakesTheHighestAndTheLowerIdAmongEquals() throws {
        let token = try choose(SamplingCore.row, .greedy)
        #expect(token.id == 1)
        #expect(token.logprob == nil && token.topLogprobs.isEmpty)
    }

    /// Draws over positions against the exact probabilities: chi-square with 7 degrees of freedom is below 24.3 with
    /// p = 0.999.
    @Test(arguments: [0.5, 1, 2.5] as [Float])
    func drawsFollowTheDistribution(temperature: Float) throws {
        let exact = softmax(SamplingCore.row.map { Double($0) / Double(temperature) })
        let count = 5000
        let scratch = SamplerScratch(vocabularySize: 8)
        var seen = [Int](repeating: 0, count: 8)
        for position in 0..<count {
            let token = try choose(
                SamplingCore.row, parameters { $0.temperature = temperature }, seed: 99, position: position,
                scratch: scratch)
            seen[Int(token.id)] += 1
        }
        // Cells that expect fewer than 5 are taken together.
        var chi = 0.0
        var rare = (expected: 0.0, seen: 0.0)
        for (id, p) in exact.enumerated() {
            let expected = p * Double(count)
            let seen = Double(seen[id])
            if expected < 5 {
                rare = (rare.expected + expected, rare.seen + seen)
            } else {
                chi += (seen - expected) * (seen - expected) / expected
            }
        }
        if rare.expected > 0 {
            chi += (rare.seen - rare.expected) * (rare.seen - rare.expected) / max(1, rare.expected)
        }
        #expect(chi < 24.3)
    }

    /// The draw against its definition, computed otherwise: one running sum over the exact probabilities.
    @Test func drawInvertsTheDistributionInTokenOrder() throws {
        var generator = TestGenerator(5)
        for position in 0..<40 {
            let row = generator.row(3000)
            let token = try choose(row, SamplingParameters(), seed: 3, sample: 2, position: position)
            let u = AddressedNoise(seed: 3, sampleIndex: 2).uniform(position: position, purpose: .token)
            var sum = 0.0
            var bounds = (0.0, 0.0)
            for (id, p) in softmax(row).enumerated() {
                if id == Int(token.id) { bounds = (sum, sum + p) }
                sum += p
            }
            #expect(u >= bounds.0 - 1e-6 && u <= bounds.1 + 1e-6)
        }
    }

    @Test func sameAddressSameTokenInAnyOrder() throws {
        var generator = TestGenerator(8)
        let rows = (0..<40).map { _ in generator.row(500) }
        let parameters = parameters {
            $0.temperature = 1.3
            $0.topP = 0.9
        }
        let scratch = SamplerScratch(vocabularySize: 500)
        let forward = try rows.indices.map { try choose(rows[$0], parameters, position: $0, scratch: scratch) }
        let backward = try rows.indices.reversed().map { try choose(rows[$0], parameters, position: $0) }
        #expect(forward == backward.reversed())
    }

    @Test func seedSampleAndPositionEachChangeTheDraw() throws {
        let flat = [Float](repeating: 0, count: 20_000)
        let base = try choose(flat, SamplingParameters(), seed: 1, sample: 0, position: 0).id
        #expect(try choose(flat, SamplingParameters(), seed: 2, sample: 0, position: 0).id != base)
        #expect(try choose(flat, SamplingParameters(), seed: 1, sample: 1, position: 0).id != base)
        #expect(try choose(flat, SamplingParameters(), seed: 1, sample: 0, position: 1).id != base)
    }

    @Test func logprobsAreTheModelsBeforeAnyStage() throws {
        let exact = softmax(SamplingCore.row).map(logarithm)
        let token = try choose(
            SamplingCore.row,
            parameters {
                $0.temperature = 0.3
                $0.topK = 2
                $0.logprobs = 3
            })
        #expect(token.topLogprobs.map(\.id) == [1, 3, 5])
        for entry in token.topLogprobs { #expect(abs(Double(entry.logprob) - exact[Int(entry.id)]) < 1e-6) }
        #expect(abs(Double(token.logprob!) - exact[Int(token.id)]) < 1e-6)
    }

    @Test func logprobsOfAGivenToken() throws {
        let exact = softmax(SamplingCore.row).map(logarithm)
        let scratch = SamplerScratch(vocabularySize: 8)
        let (chosen, top) = try SamplingCore.row.withUnsafeBufferPointer {
            try scratch.logprobs(scores: $0, of: 6, top: 2, position: 0)
        }
        #expect(abs(Double(chosen) - exact[6]) < 1e-6)
        #expect(top.map(\.id) == [1, 3] && abs(Double(top[0].logprob) - exact[1]) < 1e-6)
        for (row, error) in [
            ([0, .nan], SamplingError.notANumber(position: 5)),
            ([-.infinity, -.infinity], SamplingError.noCandidate(position: 5)),
        ] as [([Float], SamplingError)] {
            #expect(throws: error) {
                try row.withUnsafeBufferPointer {
                    try SamplerScratch(vocabularySize: 2).logprobs(scores: $0, of: 1, top: 2, position: 5)
                }
            }
        }
    }

    @Test func logprobsOfTheSampledDistribution() throws {
        let token = try choose(
            SamplingCore.row,
            parameters {
                $0.temperature = 0.5
                $0.topK = 3
                $0.logprobs = 5
                $0.logprobSource = .sampled
            })
        let exact = softmax([2.0 / 0.5, 2 / 0.5, 1.25 / 0.5]).map(logarithm)
        #expect(token.topLogprobs.map(\.id) == [1, 3, 5])
        for (entry, logprob) in zip(token.topLogprobs, exact) { #expect(abs(Double(entry.logprob) - logprob) < 1e-6) }
        #expect(token.topLogprobs.contains { $0.id == token.id && $0.logprob == token.logprob })
    }

    @Test func brokenScoresAreNamed() throws {
        for greedy in [true, false] {
            let parameters = greedy ? .greedy : SamplingParameters()
            #expect(throws: SamplingError.notANumber(position: 7)) {
                try choose([1, .nan, 2], parameters, position: 7)
            }
            #expect(throws: SamplingError.overflow(position: 2, token: 1, score: .infinity)) {
                try choose([1, .infinity, 2], parameters, position: 2)
            }
            #expect(throws: SamplingError.overflow(position: 2, token: 0, score: -2e30)) {
                try choose([-2e30, 0, 2], parameters, position: 2)
            }
            #expect(throws: SamplingError.noCandidate(position: 4)) {
                try choose([-.infinity, -.infinity], parameters, position: 4)
            }
            #expect(try choose([-.infinity, -4, -.infinity], parameters).id == 1)
            #expect(try choose([-4], parameters).id == 0)
        }
    }

    @Test(arguments: [Float(1e-6), 1e6])
    func extremeTemperatures(temperature: Float) throws {
        let row: [Float] = [-1e30, 900, 1e30, -.infinity, 3]
        let p = try distribution(row, parameters { $0.temperature = temperature })
        #expect(p == [0, 0, 1, 0, 0])
        let q = try distribution([1, 2, 3], parameters { $0.temperature = temperature })
        #expect(isClose(q, temperature < 1 ? [0, 0, 1] : [1.0 / 3, 1.0 / 3, 1.0 / 3]))
    }
}
