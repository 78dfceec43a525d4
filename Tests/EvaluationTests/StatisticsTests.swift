import Evaluation
import Foundation
import Testing

/// Formulas against values worked out by hand and against counting everything there is.
@Suite struct StatisticsTests {
    @Test func wilsonsInterval() {
        // From the formula by hand: with z² = 3.8415, 8 of 10 give (0.8 + 0.19207) / 1.38415 ± 1.95996 / 1.38415 · √(0.016 + 0.0096037).
        func expect(_ right: Double, of count: Double, _ low: Double, _ high: Double) {
            let interval = Statistics.wilsonInterval(share: right / count, trials: count)
            #expect(abs(interval.lowerBound - low) < 5e-5 && abs(interval.upperBound - high) < 5e-5, "\(interval)")
        }
        expect(8, of: 10, 0.4902, 0.9433)
        expect(0, of: 10, 0, 0.2775)
        expect(10, of: 10, 0.7225, 1)
        expect(5, of: 10, 0.2366, 0.7634)
        expect(1, of: 1, 0.2065, 1)
        // The ends are where a score test is just at its limit: |share - end| = z √(end (1 - end) / n).
        for right in 1..<40 {
            let share = Double(right) / 40
            let interval = Statistics.wilsonInterval(share: share, trials: 40)
            for end in [interval.lowerBound, interval.upperBound] {
                #expect(abs(abs(share - end) - 1.959963984540054 * (end * (1 - end) / 40).squareRoot()) < 1e-12)
            }
        }
    }

    /// Against all ways to draw k of n samples.
    @Test func passAtKCountsDraws() {
        for samples in 1...7 {
            for right in 0...samples {
                for k in 1...samples {
                    let draws = (0..<1 << samples).filter { $0.nonzeroBitCount == k }
                    // Samples 0..<right are the right ones.
                    let passing = draws.count { $0 & ((1 << right) - 1) != 0 }
                    let wanted = Double(passing) / Double(draws.count)
                    #expect(abs(Statistics.passAtK(samples: samples, right: right, k: k) - wanted) < 1e-12)
                }
            }
        }
        #expect(Statistics.passAtK(samples: 5000, right: 1, k: 2500) == 0.5)
    }

    @Test func majorityTakesTheFirstOfEquals() {
        #expect(Statistics.majority(["b", "a", nil, "a"]) == "a")
        #expect(Statistics.majority(["b", "a", "a", "b"]) == "b")
        #expect(Statistics.majority([nil, nil, "c"]) == "c")
        #expect(Statistics.majority([String?.none, nil]) == nil)
        #expect(Statistics.majority([String?]()) == nil)
    }

    /// Against all pairs of a good and a bad thing.
    @Test func areaUnderCurveCountsPairs() throws {
        var random = FixedGenerator(state: 9)
        for count in [2, 3, 10, 60] {
            for levels in [1, 3, 1000] {
                var things = (0..<count).map { _ in
                    (score: Double(Int.random(in: 0..<levels, using: &random)), isGood: Bool.random(using: &random))
                }
                (things[0].isGood, things[1].isGood) = (true, false)
                var points = 0.0
                var pairs = 0.0
                for good in things where good.isGood {
                    for bad in things where !bad.isGood {
                        points += good.score > bad.score ? 1 : good.score == bad.score ? 0.5 : 0
                        pairs += 1
                    }
                }
                let area = try #require(Statistics.areaUnderCurve(things))
                #expect(abs(area - points / pairs) < 1e-12)
            }
        }
        #expect(Statistics.areaUnderCurve([(1, true), (2, true)]) == nil)
        #expect(Statistics.areaUnderCurve([]) == nil)
    }
}
