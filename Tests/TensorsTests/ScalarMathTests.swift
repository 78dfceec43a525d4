import Foundation
import Tensors
import Testing

/// The system's math library is the independent truth here; the engine itself never calls it.
@Suite struct ScalarMathTests {
    /// Distance in units in the last place of the expected value.
    func ulps(_ value: Double, _ expected: Double) -> Double { abs(value - expected) / expected.ulp }

    @Test func agreesWithTheSystemLibrary() {
        var state = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            let unit = Double.random(in: -1...1, using: &state)
            #expect(ulps(ScalarMath.exp(unit * 700), Foundation.exp(unit * 700)) <= 2)
            let positive = Foundation.exp(unit * 300)
            #expect(ulps(ScalarMath.log(positive), Foundation.log(positive)) <= 3)
            #expect(abs(ScalarMath.sin(unit * 1e6) - Foundation.sin(unit * 1e6)) <= 3e-16)
            #expect(abs(ScalarMath.cos(unit * 1e6) - Foundation.cos(unit * 1e6)) <= 3e-16)
            #expect(ulps(ScalarMath.tanh(unit * 5), Foundation.tanh(unit * 5)) <= 5)
        }
    }

    @Test func edges() {
        #expect(ScalarMath.exp(-1000) == 0)
        #expect(ScalarMath.exp(1000) == .infinity)
        #expect(ScalarMath.exp(0) == 1)
        #expect(ScalarMath.log(0) == -.infinity)
        #expect(ScalarMath.log(-1).isNaN)
        #expect(ScalarMath.pow(2, 10) == 1024)
        #expect(ScalarMath.pow(0, 0) == 1)
    }

    @Test func logSumExpOfScores() {
        let row: [Float] = [1, 2, 3, -1000]
        let value = row.withUnsafeBufferPointer { ScalarMath.logSumExp($0) }
        #expect(abs(value - 3.4076059644443806) < 1e-6)
    }
}
