import Foundation
import Tensors
import Testing

@testable import Compression

/// Searches for scales against the same search in another language, and what must hold of any.
@Suite struct ScalerTests {
    let golden = LayerGolden.shared

    @Test func theSearchOfAWQ() throws {
        let solver = Solver(threads: 2)
        let scale = try #require(
            AWQ().scale(
                .attention, readers: [golden.weight], golden.statistics(solver), rows: nil, types: [.q4_0], solver))
        let expected = LayerGolden.floats(golden.awq.scale)
        for (a, b) in zip(scale, expected) { #expect(abs(a / b - 1) < 1e-3) }
        let scaled = Matrix(copying: golden.weight)
        scaled.scaleColumns(by: scale)
        let made = try RoundToNearest(clips: false).quantize(scaled, nil, as: .q4_0, solver).effective
        made.scaleColumns(by: scale.map { 1 / $0 })
        let error = golden.error(of: made)
        #expect(abs(error / golden.awq.error - 1) < 0.01, "\(error), \(golden.awq.error)")
        #expect(error < golden.awq.plain)
    }

    @Test func smoothingEvensOutRanges() throws {
        let solver = Solver(threads: 1)
        let statistics = golden.statistics(solver)
        let scale = try #require(
            SmoothQuant().scale(.attention, readers: [golden.weight], statistics, rows: nil, types: [.q8_0], solver))
        // With half of the outliers moved, an input's range and its column's become the same.
        let columns = largestOfColumns([golden.weight])
        for (index, s) in scale.enumerated() {
            #expect(abs(statistics.largest[index] / s / (columns[index] * s) - 1) < 1e-3)
        }
    }

    @Test func clustersAreTheBest() throws {
        let statistics = golden.statistics(Solver(threads: 1))
        let weights = (0..<golden.inputs).map { statistics.moments![$0, $0] }
        let layer = golden.weight
        for row in 0..<golden.outputs {
            let clusters = LineClusters((0..<layer.columns).map { layer[row, $0] }, weights, count: golden.kmeans.clusters)
            #expect(abs(clusters.cost / golden.kmeans.costs[row] - 1) < 1e-4)
            #expect(clusters.centers == clusters.centers.sorted() && clusters.centers.count == golden.kmeans.clusters)
        }
        let few = LineClusters([1, 1, 2], [1, 1, 1], count: 8)
        #expect(few.cost == 0)
    }

    @Test(arguments: ["LUT3", "LUT4"]) func levelsOfEachRowsOwnBeatAnEvenGrid(_ name: String) throws {
        let solver = Solver(threads: 2)
        let type = try #require(ElementType(name: name))
        let statistics = golden.statistics(solver)
        let made = try SqueezeLLM().quantize(golden.weight, statistics, as: type, solver)
        // One scale for a whole row, as the codebook has.
        let row = golden.inputs
        let even = Matrix(copying: golden.weight)
        let steps = Float(name == "LUT3" ? 3 : 7)
        for output in 0..<golden.outputs {
            let values = even.row(output)
            let scale = values.reduce(Float(0)) { max($0, abs($1)) } / steps
            for column in 0..<row { values[column] = (values[column] / scale).rounded() * scale }
        }
        #expect(golden.error(of: made.effective) < golden.error(of: even))
    }
}
