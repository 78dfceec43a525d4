import Tensors
import Testing

/// Factors and products against their definitions in double precision.
@Suite struct SolverTests {
    private func symmetric(_ size: Int) -> Matrix {
        var state: UInt64 = 7
        func next() -> Float {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(Int32(truncatingIfNeeded: state >> 32)) / 2_147_483_648
        }
        let a = Matrix(rows: size, columns: size, (0..<size * size).map { _ in next() })
        let result = Matrix(rows: size, columns: size)
        for i in 0..<size {
            for j in 0..<size {
                var sum: Double = i == j ? 0.3 : 0
                for k in 0..<size { sum += Double(a[i, k]) * Double(a[j, k]) / Double(size) }
                result[i, j] = Float(sum)
            }
        }
        return result
    }

    @Test(arguments: [1, 5, 32, 63, 64, 65, 130, 200]) func factorsMultiplyBack(_ size: Int) {
        for index in Solver.available.indices {
            let solver = Solver(threads: 2, available: index)
            let a = symmetric(size)
            let l = Matrix(copying: a)
            #expect(solver.factor(l) == nil)
            var worst = 0.0
            for i in 0..<size {
                for j in 0...i {
                    var sum = 0.0
                    for k in 0...j { sum += Double(l[i, k]) * Double(l[j, k]) }
                    worst = max(worst, abs(sum - Double(a[i, j])))
                }
            }
            #expect(worst < 1e-5, "\(worst)")
        }
    }

    @Test(arguments: [7, 64, 100, 161]) func theFeedbackFactorInvertsTheMoments(_ size: Int) throws {
        let solver = Solver(threads: 2)
        let h = symmetric(size)
        let order = (0..<size).map { ($0 * 37 + 11) % size }
        guard Set(order).count == size else { return }
        let u = try #require(solver.feedbackFactor(h, order: order, damping: 0.1))
        // UᵀU (H + 0.1) = 1
        var worst = 0.0
        for i in 0..<size {
            #expect(u[i, i] > 0)
            for j in 0..<i { #expect(u[i, j] == 0) }
        }
        var inverse = [[Double]](repeating: [Double](repeating: 0, count: size), count: size)
        for i in 0..<size {
            for j in 0..<size {
                for k in 0...min(i, j) { inverse[i][j] += Double(u[k, i]) * Double(u[k, j]) }
            }
        }
        for i in 0..<size {
            for j in 0..<size {
                var sum = 0.0
                for k in 0..<size {
                    let value = Double(h[order[k], order[j]]) + (k == j ? 0.1 : 0)
                    sum += inverse[i][k] * value
                }
                worst = max(worst, abs(sum - (i == j ? 1 : 0)))
            }
        }
        #expect(worst < 1e-4, "\(worst)")
    }

    @Test func whatIsNotDefiniteIsSaid() {
        let solver = Solver(threads: 1)
        let a = Matrix(rows: 3, columns: 3, [1, 0, 0, 0, -1, 0, 0, 0, 1])
        #expect(solver.factor(a) == 1)
        #expect(solver.factor(Matrix(rows: 2, columns: 2, [.nan, 0, 0, 1])) == 0)
    }

    @Test func momentsAreSumsOfSquares() {
        for index in Solver.available.indices {
            let solver = Solver(threads: 2, available: index)
            let buffer = Buffer(capacity: 300, width: 45)
            let rows = buffer.rows(300)
            for row in 0..<300 {
                for column in 0..<45 { rows.elements(of: row)[column] = Float((row * 7 + column * 13) % 23) - 11 }
            }
            let moments = Matrix(rows: 45, columns: 45)
            solver.addMoments(rows, to: moments)
            solver.mirror(moments)
            for i in 0..<45 {
                for j in 0..<45 {
                    // Whole numbers: sums are exact.
                    let sum = (0..<300).reduce(Float(0)) { $0 + rows.elements(of: $1)[i] * rows.elements(of: $1)[j] }
                    #expect(moments[i, j] == sum)
                }
            }
        }
    }
}
