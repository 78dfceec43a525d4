internal import CKernels

/// What is added to a projection's outputs beside its quantized weight: single numbers of the weight, and a product of two thin matrices.
///
/// A view: the vectors belong to whoever made them.
public struct Correction: Sendable {
    /// The longest row between the two thin matrices.
    public static let largestRank = 64

    /// [rank, inputs] and, turned, [rank, outputs].
    public var lowRank: (down: PackedWeight, up: Vector)?
    public var sparse: Sparse?

    /// Numbers of a weight by outputs, ascending.
    public struct Sparse: @unchecked Sendable {
        let starts: [Int32]
        let columns: [Int32]
        let values: [Float]

        /// - Parameters:
        ///   - starts: where each output's numbers begin, and the end of the last: ascending from 0 to their count.
        ///   - columns: the input of each, below `inputs`.
        ///   - values: the numbers.
        ///   - outputs: of the weight.
        ///   - inputs: of the weight.
        public init?(starts: [Int32], columns: [Int32], values: [Float], outputs: Int, inputs: Int) {
            guard starts.count == outputs + 1, starts.first == 0, Int(starts[outputs]) == columns.count,
                columns.count == values.count, zip(starts, starts.dropFirst()).allSatisfy({ $0 <= $1 }),
                columns.allSatisfy({ $0 >= 0 && $0 < inputs })
            else { return nil }
            (self.starts, self.columns, self.values) = (starts, columns, values)
        }
    }

    public init(lowRank: (down: PackedWeight, up: Vector)?, sparse: Sparse?) {
        (self.lowRank, self.sparse) = (lowRank, sparse)
    }
}

extension Ops {
    /// out += up · (down · input) + sparse · input, each sum one chain that ascends, the thin matrices first.
    ///
    /// - Complexity: rows × (rank × (inputs + outputs) + numbers of the sparse part) multiply-adds.
    public func correct(_ out: Rows, _ input: ProductInput, _ correction: Correction) {
        let x = input.rows
        precondition(out.count == x.count)
        if x.count == 0 { return }
        var arguments = apus_correct_arguments()
        arguments.out = out.base
        arguments.out_stride = Int64(out.stride)
        (arguments.rows, arguments.outputs) = (Int64(x.count), Int64(out.width))
        var work = 0
        if let (down, up) = correction.lowRank {
            precondition(down.outputs <= Correction.largestRank && up.count == down.outputs * out.width)
            let thin = Rows(base: thinRows, count: x.count, width: down.outputs, stride: Correction.largestRank)
            product(self.input(x), down, into: thin)
            arguments.thin = UnsafePointer(thin.base)
            arguments.thin_stride = Int64(thin.stride)
            arguments.up = up.base
            arguments.rank = Int64(down.outputs)
            work += down.outputs * out.width / 8
        }
        arguments.x = UnsafePointer(x.base)
        arguments.x_stride = Int64(x.stride)
        let sparse = correction.sparse
        work += sparse?.values.count ?? 0
        let items = (out.width + Int(APUS_CORRECTED_OUTPUTS) - 1) / Int(APUS_CORRECTED_OUTPUTS)
        func go() { run(table.correct, &arguments, items: items, nanoseconds: x.count * work) }
        guard let sparse else { return go() }
        sparse.starts.withUnsafeBufferPointer { starts in
            sparse.columns.withUnsafeBufferPointer { columns in
                sparse.values.withUnsafeBufferPointer { values in
                    (arguments.starts, arguments.columns, arguments.values) = (
                        starts.baseAddress, columns.baseAddress, values.baseAddress
                    )
                    go()
                }
            }
        }
    }
}
