import CKernels
import Testing

@testable import Tensors

/// What stands beside a quantized weight: each table gives the bits of the definition, whatever the number of rows.
@Suite struct CorrectionTests {
    /// One chain for each output: the thin row's elements, then the sparse numbers.
    private static func reference(
        _ out: Float, thin: [Float], up: [Float], columns: ArraySlice<Int32>, values: ArraySlice<Float>, x: [Float]
    ) -> Float {
        var sum = out
        for (a, b) in zip(up, thin) { sum.addProduct(a, b) }
        for (column, value) in zip(columns, values) { sum.addProduct(value, x[Int(column)]) }
        return sum
    }

    @Test(arguments: [0, 1, 7, 64], [0, 1, 9]) func followsTheDefinition(_ rank: Int, _ perOutput: Int) {
        var random = SeededGenerator(state: 41)
        let inputs = 50
        for outputs in [1, 17, 64, 130] {
            let x = gaussianRows(9, inputs, &random), before = gaussianRows(9, outputs, &random)
            let thin = gaussianRows(9, max(rank, 1), &random).map { Array($0.prefix(rank)) }
            let up = gaussianRows(max(rank, 1), outputs, &random)
            var (starts, columns): ([Int32], [Int32]) = ([0], [])
            for output in 0..<outputs {
                // Some outputs have none.
                for place in 0..<(output % 3 == 1 ? 0 : perOutput) { columns.append(Int32((5 * place + output) % inputs)) }
                starts.append(Int32(columns.count))
            }
            let values = gaussianRows(1, columns.count + 1, &random)[0]
            for table in KernelTable.all {
                for count in [1, 3, 4, 9] {
                    var out = Array(before.prefix(count).joined())
                    var xs = Array(x.prefix(count).joined()), ups = Array(up.joined())
                    var thins = Array(thin.prefix(count).joined()) + [Float(0)]
                    var arguments = apus_correct_arguments()
                    out.withUnsafeMutableBufferPointer { out in
                        xs.withUnsafeMutableBufferPointer { xs in
                            thins.withUnsafeMutableBufferPointer { thins in
                                ups.withUnsafeMutableBufferPointer { ups in
                                    starts.withUnsafeBufferPointer { starts in
                                        columns.withUnsafeBufferPointer { columns in
                                            values.withUnsafeBufferPointer { values in
                                                arguments.out = out.baseAddress
                                                (arguments.out_stride, arguments.outputs) = (Int64(outputs), Int64(outputs))
                                                arguments.rows = Int64(count)
                                                arguments.thin = UnsafePointer(thins.baseAddress)
                                                (arguments.thin_stride, arguments.rank) = (Int64(rank), Int64(rank))
                                                arguments.up = UnsafePointer(ups.baseAddress)
                                                arguments.x = UnsafePointer(xs.baseAddress)
                                                arguments.x_stride = Int64(inputs)
                                                arguments.starts = starts.baseAddress
                                                arguments.columns = columns.baseAddress
                                                arguments.values = values.baseAddress
                                                OperationTests.scratch {
                                                    table.kernels.correct(&arguments, 0, Int64((outputs + 63) / 64), $0)
                                                }
                                            }
                                        }
                                    }
                                }
                            }
                        }
                    }
                    for row in 0..<count {
                        let expected = (0..<outputs).map { output in
                            let range = Int(starts[output])..<Int(starts[output + 1])
                            return Self.reference(
                                before[row][output], thin: thin[row], up: (0..<rank).map { up[$0][output] },
                                columns: columns[range], values: values[range], x: x[row])
                        }
                        #expect(
                            sameBits(Array(out[row * outputs..<(row + 1) * outputs]), expected),
                            "\(table.name): \(outputs) outputs, row \(row) of \(count)")
                    }
                }
            }
        }
    }

    @Test func partsThatDoNotFitAreRefused() {
        func make(_ starts: [Int32], _ columns: [Int32], _ count: Int) -> Correction.Sparse? {
            Correction.Sparse(starts: starts, columns: columns, values: Array(repeating: 1, count: count), outputs: 2, inputs: 4)
        }
        #expect(make([0, 1, 2], [0, 3], 2) != nil)
        #expect(make([0, 1], [0], 1) == nil)
        #expect(make([0, 2, 1], [0], 1) == nil)
        #expect(make([1, 1, 2], [0, 1], 2) == nil)
        #expect(make([0, 1, 3], [0, 1], 2) == nil)
        #expect(make([0, 1, 2], [0, 4], 2) == nil)
        #expect(make([0, 1, 2], [0, -1], 2) == nil)
        #expect(make([0, 1, 2], [0, 1], 1) == nil)
    }
}
