import Foundation
import Tensors
import Testing

@testable import Compression

/// Error feedback and sweeps against the algorithms written out in another language.
@Suite struct GPTQTests {
    let golden = LayerGolden.shared
    let type = ElementType.group(GroupFormat(.int4, group: 32, scale: .f32)!)

    /// The golden's grid: fixed scales, codes −8…7.
    private func grid(_ order: [Int]) -> CodedWeight {
        let coded = CodedWeight(
            type: type, rows: golden.outputs, columns: golden.inputs, groups: golden.inputs / golden.group,
            groupOfColumn: order.map { Int32($0 / golden.group) })
        coded.scales = LayerGolden.floats(golden.scales)
        return coded
    }

    private func damped(_ solver: Solver) -> Matrix {
        let moments = golden.statistics(solver).moments!
        let mean = (0..<golden.inputs).reduce(Float(0)) { $0 + moments[$1, $1] } / Float(golden.inputs)
        for index in 0..<golden.inputs { moments[index, index] += 0.01 * mean }
        return moments
    }

    private func roundAll(_ order: [Int], _ solver: Solver) -> (codes: [UInt8], values: Matrix) {
        let u = solver.feedbackFactor(damped(solver), order: order, damping: 0)!
        let coded = grid(order)
        let w = golden.weight.columns(order)
        solver.round(w, u, 0..<golden.inputs, into: coded)
        var codes = coded.codes
        let values = Matrix(copying: w)
        for row in 0..<golden.outputs {
            for (place, column) in order.enumerated() {
                codes[row * golden.inputs + column] = coded.codes[row * golden.inputs + place]
                values[row, column] = w[row, place]
            }
        }
        return (codes, values)
    }

    private func activationOrder(_ solver: Solver) -> [Int] {
        let moments = golden.statistics(solver).moments!
        return (0..<golden.inputs).sorted { moments[$0, $0] > moments[$1, $1] }
    }

    @Test(arguments: [false, true]) func codesAreThoseOfThePaper(_ byActivity: Bool) {
        let solver = Solver(threads: 2)
        let order = byActivity ? activationOrder(solver) : Array(0..<golden.inputs)
        let expected = byActivity ? golden.activation : golden.natural
        let (codes, values) = roundAll(order, solver)
        let same = zip(codes, expected.codes).count { $0 == $1 }
        // A number next to the middle of two codes may fall either way, and what follows in its row with it.
        #expect(same * 100 >= codes.count * 99, "\(same) of \(codes.count) codes")
        let error = golden.error(of: values)
        #expect(abs(error / expected.error - 1) < 0.01, "\(error), \(expected.error)")
    }

    @Test func sweepsReachTheErrorOfTheirDefinition() {
        let solver = Solver(threads: 2)
        let order = Array(0..<golden.inputs)
        let (codes, values) = roundAll(order, solver)
        let coded = grid(order)
        coded.codes = codes
        let h = damped(solver)
        let (differences, turned) = (Matrix(copying: values), Matrix(copying: values))
        for row in 0..<golden.outputs {
            for column in 0..<golden.inputs {
                differences[row, column] = values[row, column] - golden.weight[row, column]
                turned[row, column] = -differences[row, column]
            }
        }
        let gradients = Matrix(rows: golden.outputs, columns: golden.inputs)
        solver.subtractProduct(turned, h, from: gradients)
        var last = golden.error(of: values)
        for _ in 0..<golden.descended.sweeps {
            _ = solver.descend(golden.weight, h, differences, gradients, coded)
            let now = Matrix(copying: golden.weight)
            for row in 0..<golden.outputs {
                for column in 0..<golden.inputs { now[row, column] += differences[row, column] }
            }
            let error = golden.error(of: now)
            #expect(error <= last * 1.001)
            last = error
        }
        #expect(abs(last / golden.descended.error - 1) < 0.01, "\(last), \(golden.descended.error)")
    }

    @Test(arguments: ["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "Q4_0", "Q4_1", "Q5_0", "Q8_0", "IQ4_NL", "IQ4_XS", "MXFP4", "INT3_G32"])
    func onEveryGridFeedbackIsBetterThanTheNearest(_ name: String) throws {
        let solver = Solver(threads: 2)
        let type = try #require(ElementType(name: name))
        // Rows of 256 that depend on each other.
        let (weight, statistics) = wideLayer(solver)
        let nearest = try RoundToNearest(usesImportance: true).quantize(weight, statistics, as: type, solver)
        let plain = try GPTQ(order: .best, sweeps: 0).quantize(weight, statistics, as: type, solver)
        let swept = try GPTQ(order: .best, sweeps: 8).quantize(weight, statistics, as: type, solver)
        func error(_ made: QuantizedWeight) -> Double { outputError(weight, made.effective, statistics, solver) }
        #expect(plain.bytes.count == nearest.bytes.count)
        #expect(error(plain) < error(nearest), "\(error(plain)), \(error(nearest))")
        #expect(error(swept) <= error(plain) * 1.0001, "\(error(swept)), \(error(plain))")
    }

    @Test func threadsAndInstructionsChangeNoBit() throws {
        let (weight, statistics) = wideLayer(Solver(threads: 1))
        let expected = try GPTQ().quantize(weight, statistics, as: .q3_K, Solver(threads: 1)).bytes
        for index in Solver.available.indices {
            for threads in [1, 2, 3] {
                let solver = Solver(threads: threads, available: index)
                let (weight, statistics) = wideLayer(solver)
                let made = try GPTQ().quantize(weight, statistics, as: .q3_K, solver).bytes
                #expect(made == expected, "\(Solver.available[index]), \(threads) threads")
            }
        }
    }

    @Test func inputsThatNeverAreGiveNoTrouble() throws {
        let solver = Solver(threads: 1)
        let (weight, statistics) = wideLayer(solver)
        var quiet = statistics
        let moments = Matrix(copying: statistics.moments!)
        for index in 0..<moments.rows {
            for dead in [3, 100, 255] { (moments[index, dead], moments[dead, index]) = (0, 0) }
        }
        quiet.moments = moments
        let made = try GPTQ().quantize(weight, quiet, as: .q4_K, solver)
        for row in 0..<weight.rows {
            // Searched ranges may leave out what no input meets, by a few of the format's steps of about 0.02.
            for dead in [3, 100, 255] { #expect(abs(made.effective[row, dead] - weight[row, dead]) < 0.1) }
        }
        for index in 0..<moments.rows {
            for other in 0..<moments.rows { moments[index, other] = 0 }
        }
        #expect(try GPTQ().quantize(weight, quiet, as: .q4_K, solver).effective.values.allSatisfy(\.isFinite))
    }

    private func wideLayer(_ solver: Solver) -> (Matrix, InputStatistics) {
        var state: UInt64 = 42
        func next() -> Float {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Float(Int32(truncatingIfNeeded: state >> 32)) / 2_147_483_648
        }
        let weight = Matrix(rows: 9, columns: 256, (0..<9 * 256).map { _ in 0.1 * (next() + next() + next()) })
        let buffer = Buffer(capacity: 600, width: 256)
        let rows = buffer.rows(600)
        let sizes = (0..<256).map { _ in 0.2 + abs(next()) * abs(next()) * 3 }
        for row in 0..<600 {
            let shared = (0..<8).map { _ in next() }
            let values = rows.elements(of: row)
            for column in 0..<256 { values[column] = (next() + 1.5 * shared[column % 8]) * sizes[column] }
        }
        let collector = InputCollector(inputs: 256, need: .moments, total: 600, solver)
        collector.add(rows)
        return (weight, collector.finish())
    }
}
