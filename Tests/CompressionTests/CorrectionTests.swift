import Apus
import Checkpoints
import Foundation
import Models
import Tensors
import TestKit
import Testing

@testable import Compression

/// Sparse and low-rank parts beside quantized weights, against what theory says they can reach.
@Suite struct CorrectionTests {
    private struct Exact: Quantizer {
        /// What is added to the weight, as if rounding had done it.
        let error: Matrix
        var need: CalibrationNeed { .nothing }

        func quantize(
            _ weight: Matrix, _ statistics: InputStatistics?, as type: ElementType, _ solver: Solver
        ) throws(CompressionError) -> QuantizedWeight {
            let sum = Matrix(copying: weight)
            for row in 0..<sum.rows {
                for column in 0..<sum.columns { sum.row(row)[column] += error.row(row)[column] }
            }
            let bytes = sum.values.withUnsafeBytes { Array($0) }
            return QuantizedWeight(type: .f32, bytes: bytes, outputs: weight.rows, inputs: weight.columns)
        }
    }

    /// Entry of the Hadamard matrix: its rows are at right angles.
    private func sign(_ i: Int, _ j: Int) -> Float { (i & j).nonzeroBitCount % 2 == 0 ? 1 : -1 }

    private func energy(_ a: Matrix, _ b: Matrix) -> Double {
        zip(a.values, b.values).reduce(0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
    }

    /// An error whose singular values are known leaves the sum of the squares of those that the rank does not reach (Eckart and Young).
    @Test(arguments: [1, 4, 12]) func lowRankIsTheBest(_ rank: Int) throws {
        let size = 64
        let values = (0..<size).map { Float(1) / Float($0 + 1) }
        let error = Matrix(rows: size, columns: size)
        for row in 0..<size {
            for column in 0..<size {
                error.row(row)[column] = (0..<size).reduce(Float(0)) { sum, k in
                    sum + values[k] * sign(row, k) * sign(column, (k * 5 + 3) % size) / Float(size)
                }
            }
        }
        let weight = Matrix(rows: size, columns: size)
        let made = try WeightCorrection(rank: rank).quantize(weight, nil, as: .f32, by: Exact(error: error), Solver(threads: 2))
        let best = values[rank...].reduce(0.0) { $0 + Double($1) * Double($1) }
        let left = energy(weight, made.effective)
        #expect(left < 1.01 * best && left > 0.99 * best, "\(left) of \(best)")
        #expect(made.extras.map(\.suffix) == ["low_rank_down", "low_rank_up"])
    }

    @Test func sparsePartsKeepWhatCostsMost() throws {
        // Even over −1 … 1, so that four numbers are far out.
        let weight = Matrix(rows: 64, columns: 64, (0..<4096).map { Float($0 * 2741 % 4096) / 2048 - 1 })
        let outliers = [(3, 9), (40, 0), (63, 63), (17, 31)]
        for (row, column) in outliers { weight.row(row)[column] = 40 + Float(row) }
        let type = try #require(ElementType(name: "INT3_G64"))
        let share = 4.5 / 4096
        let made = try WeightCorrection(sparseShare: share).quantize(weight, nil, as: type, by: RoundToNearest(), Solver(threads: 1))
        #expect(made.choices["sparse"] == "4")
        for (row, column) in outliers {
            #expect(abs(made.effective.row(row)[column] / weight.row(row)[column] - 1) < 1e-3)
        }
        // Without outliers everyone's scale is smaller.
        let plain = try RoundToNearest().quantize(weight, nil, as: type, Solver(threads: 1))
        #expect(energy(weight, made.effective) < 0.3 * energy(weight, plain.effective))
    }

    private func job(_ out: String, threads: Int, interruption: @escaping () throws -> Void = {}) throws {
        var request = Recipe.Request(method: "squeezellm", format: "LUT3", embeddingFormat: nil)
        (request.samples, request.length, request.sparse, request.lowRank) = (4, 48, 0.0045, 6)
        try CompressionJob(
            try ModelFiles(JobTests.stories), name: "stories", request, container: .apus,
            calibration: (JobTests.text, "text"), threads: threads, kernels: KernelTable.available[0], interruption: interruption
        ).run(output: out)
    }

    /// The folder's model is the one whose weights are what quantizing and correcting made, and an interruption changes no bit.
    @Test func aFolderWithCorrectionsOpensAgain() throws {
        let folder = NSTemporaryDirectory() + "apus-corrections-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try job(folder + "/a", threads: 2)
        var pieces = 0
        #expect(throws: JobTests.Interrupted.self) {
            try job(folder + "/b", threads: 1) {
                pieces += 1
                if pieces == 14 { throw JobTests.Interrupted() }
            }
        }
        try job(folder + "/b", threads: 1)
        func weights(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)/model.safetensors")) }
        #expect(try weights("a") == weights("b"))

        let files = try ModelFiles(folder + "/a")
        let tokens = Array(try files.tokenizer().encode(JobTests.text, special: false, addSpecialTokens: true).prefix(24))
        func scores(_ model: any Model) -> [[Float]] {
            let runner = ModelRunner(model)
            return runner.prefill(runner.sequence(tokens, length: tokens.count))
        }
        // The same numbers as whole weights; what is left is how products of codes round their inputs.
        var (overlay, rows) = (WeightOverlay(), 0)
        let base = try ModelFiles(JobTests.stories)
        for use in try Catalog.tensors(of: base.checkpoint) {
            guard case .projection = use.role else { continue }
            let stem = String(use.name.dropLast(".weight".count))
            let stored = try #require(
                try files.checkpoint.quantizedWeight(stem, outputs: use.shape[0], inputs: use.shape[1]))
            let matrix = try stored.withWeight { Matrix($0) }
            let parts = try #require(try files.checkpoint.correction(stem, outputs: use.shape[0], inputs: use.shape[1]))
            let low = try #require(parts.lowRank)
            #expect(low.rank == 6)
            let (up, down) = (Matrix(low.up), Matrix(low.down))
            for row in 0..<matrix.rows {
                for column in 0..<matrix.columns {
                    for k in 0..<6 { matrix.row(row)[column] += up.row(row)[k] * down.row(k)[column] }
                }
            }
            let starts = try #require(files.checkpoint.rawTensor(named: stem + ".sparse_starts")).bytes
            let columns = try #require(files.checkpoint.rawTensor(named: stem + ".sparse_columns")).bytes
            let values = try #require(files.checkpoint.rawTensor(named: stem + ".sparse_values")).bytes
            func integer(_ bytes: UnsafeRawBufferPointer, _ place: Int) -> Int {
                Int(bytes.loadUnaligned(fromByteOffset: 4 * place, as: Int32.self))
            }
            for row in 0..<matrix.rows {
                for place in integer(starts, row)..<integer(starts, row + 1) {
                    let half = values.loadUnaligned(fromByteOffset: 2 * place, as: UInt16.self)
                    matrix.row(row)[integer(columns, place)] += Float(Float16(bitPattern: half))
                    rows += 1
                }
            }
            overlay.weights[use.name] = matrix
        }
        #expect(rows > 100)
        let expected = scores(try Catalog.load(base.checkpoint, part: .whole, overlay: overlay, threads: 1))
        let found = scores(try files.network(threads: 2))
        let (largest, mean) = zip(expected.joined(), found.joined()).reduce((Float(0), Float(0))) {
            (max($0.0, abs($1.0 - $1.1)), $0.1 + abs($1.0 - $1.1))
        }
        #expect(largest < 0.6 && mean / Float(expected.joined().count) < 0.06, "\(largest), \(mean / Float(expected.joined().count))")
    }

    @Test func otherLayoutsHaveNoPlace() throws {
        var request = Recipe.Request(method: "rtn", format: "INT4_G32", embeddingFormat: nil)
        request.lowRank = 8
        for container in [nil, QuantizedContainer.gptq, .compressedTensors] {
            request.format = container == nil ? "Q4_0" : "INT4_G32"
            do {
                _ = try CompressionJob(
                    try ModelFiles(JobTests.stories), name: "m", request, container: container, calibration: nil, threads: 1,
                    kernels: KernelTable.available[0])
                Issue.record("\(String(describing: container)) took it")
            } catch { #expect("\(error)".contains("layout apus")) }
        }
    }
}
