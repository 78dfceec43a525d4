public import Tensors

/// Rounding column by column, each one's error taken from those that are still to come, by the inverse Hessian of the inputs
/// (Frantar et al. 2023, GPTQ, section 3), onto the grid of any format; then sweeps over the codes, each of which becomes what
/// is best with all others fixed (Behdin et al. 2023, QuantEase, section 3). Between sweeps the scales move too, each factor and
/// super-scale of the format to what is best with all codes fixed.
///
/// Scales come from the format's encoder, by each column's share in the error that is left. They are found block by block on
/// what the errors so far have made of the weights, or all at first on the weights as they are, which lets columns go in the
/// order of their importance.
public struct GPTQ: Quantizer {
    /// In which order columns are rounded, and with it when their scales are found.
    public enum Order: String, Sendable, CaseIterable {
        /// As they stand; scales block by block.
        case natural
        /// The most active input first; scales at first.
        case activation
        /// Both, and the better by the error in the outputs.
        case best
    }

    public var order: Order
    /// On the diagonal, as a share of its mean.
    public var damping: Float
    /// At most so many sweeps over the codes; 0 for plain GPTQ.
    public var sweeps: Int
    /// Whether scales are searched for, or follow from each group's extremes.
    public var clips: Bool

    public init(order: Order = .best, damping: Float = 0.01, sweeps: Int = 8, clips: Bool = true) {
        self.order = order
        self.damping = damping
        self.sweeps = sweeps
        self.clips = clips
    }

    public var need: CalibrationNeed { .moments }

    public func quantize(
        _ weight: Matrix, _ statistics: InputStatistics?, as type: ElementType, _ solver: Solver
    ) throws(CompressionError) -> QuantizedWeight {
        guard let moments = statistics?.moments else {
            throw CompressionError("GPTQ needs a calibration text; name one with --calibration")
        }
        guard let blocks = BlockCodes(type), let encoder = WeightEncoder(type, effort: clips ? .search : .plain) else {
            throw CompressionError("\(type.name) has no grid that GPTQ could round to; take an integer or float format")
        }
        let damped = try dampedMoments(moments, solver)
        var best: (rows: QuantizedWeight, error: Double)?
        for order in order == .best ? [Order.natural, .activation] : [order] {
            var bytes: [UInt8]
            let columns = order == .natural ? Array(0..<weight.columns) : byActivity(moments)
            guard let u = solver.feedbackFactor(damped, order: columns, damping: 0) else {
                throw CompressionError("the inputs' moments are not positive definite, even damped; take more calibration text")
            }
            bytes = order == .natural
                ? roundByBlocks(weight, u, blocks, encoder, solver)
                : roundByActivity(weight, u, columns, blocks, encoder, solver)
            if sweeps > 0 { sweep(weight, damped, &bytes, blocks, solver) }
            var rows = QuantizedWeight(type: type, bytes: bytes, outputs: weight.rows, inputs: weight.columns)
            rows.choices["order"] = order.rawValue
            let error = outputError(weight, rows.effective, statistics, solver)
            if best == nil || error < best!.error { best = (rows, error) }
        }
        return best!.rows
    }

    /// The moments with as much on the diagonal as makes them definite: the damping, or ten times as much, and so on.
    private func dampedMoments(_ moments: Matrix, _ solver: Solver) throws(CompressionError) -> Matrix {
        let size = moments.rows
        var mean = 0.0
        for index in 0..<size { mean += Double(moments[index, index]) }
        mean /= Double(size)
        // Without any input every rounding is as good as the nearest.
        if !(mean > 0) { mean = 1 }
        var added = Float(mean) * max(damping, 1e-6)
        for _ in 0..<5 {
            let damped = Matrix(copying: moments)
            for index in 0..<size { damped[index, index] += added }
            if solver.factor(Matrix(copying: damped)) == nil { return damped }
            added *= 10
        }
        throw CompressionError("the inputs' moments are not positive definite, even damped; take more calibration text")
    }

    /// Columns by their sum of squares, the largest first, the first of equals first.
    private func byActivity(_ moments: Matrix) -> [Int] {
        let activity = (0..<moments.rows).map { moments[$0, $0] }
        return activity.indices.sorted { activity[$0] != activity[$1] ? activity[$0] > activity[$1] : $0 < $1 }
    }

    /// What a column's squared error costs when all later columns make up for it as well as they can: 1 / u².
    private func importance(_ u: Matrix) -> [Float] {
        (0..<u.rows).map { 1 / (u[$0, $0] * u[$0, $0]) }
    }

    private func roundByBlocks(
        _ weight: Matrix, _ u: Matrix, _ blocks: BlockCodes, _ encoder: WeightEncoder, _ solver: Solver
    ) -> [UInt8] {
        let w = Matrix(copying: weight)
        let (size, type) = (blocks.blockSize, blocks.type)
        let importance = importance(u)
        let coded = CodedWeight(
            type: type, rows: w.rows, columns: w.columns, groups: w.columns / blocks.group,
            groupOfColumn: (0..<w.columns).map { Int32($0 / blocks.group) })
        let count = w.columns / size
        let rowBytes = count * type.blockBytes
        let groups = size / blocks.group
        var bytes = [UInt8](repeating: 0, count: w.rows * rowBytes)
        for block in 0..<count {
            let range = block * size..<(block + 1) * size
            var values: [Float] = []
            values.reserveCapacity(w.rows * size)
            for row in 0..<w.rows { values += w.row(row)[range] }
            let encoded = encoder.encode(
                values, inputs: size, importance: Array(importance[range]), threads: solver.threads)
            for row in 0..<w.rows {
                let part = encoded.bytes[row * type.blockBytes..<(row + 1) * type.blockBytes]
                let place = row * rowBytes + block * type.blockBytes
                bytes.replaceSubrange(place..<place + type.blockBytes, with: part)
                let read = Array(part).withUnsafeBytes { blocks.read($0) }
                for group in 0..<groups {
                    coded.scales[row * coded.groups + block * groups + group] = read.scales[group]
                    coded.minimums[row * coded.groups + block * groups + group] = read.minimums[group]
                }
            }
            solver.round(w, u, range, into: coded)
        }
        put(coded, into: &bytes, blocks)
        return bytes
    }

    private func roundByActivity(
        _ weight: Matrix, _ u: Matrix, _ columns: [Int], _ blocks: BlockCodes, _ encoder: WeightEncoder, _ solver: Solver
    ) -> [UInt8] {
        var importance = [Float](repeating: 0, count: columns.count)
        for (place, column) in columns.enumerated() { importance[column] = 1 / (u[place, place] * u[place, place]) }
        var bytes = encoder.encode(
            weight.values, inputs: weight.columns, importance: importance, threads: solver.threads
        ).bytes
        let coded = read(bytes, blocks, rows: weight.rows, columns: weight.columns)
        coded.groupOfColumn = columns.map { Int32($0 / blocks.group) }
        solver.round(weight.columns(columns), u, 0..<weight.columns, into: coded)
        var ordered = coded.codes
        for row in 0..<weight.rows {
            for (place, column) in columns.enumerated() {
                ordered[row * weight.columns + column] = coded.codes[row * weight.columns + place]
            }
        }
        coded.codes = ordered
        put(coded, into: &bytes, blocks)
        return bytes
    }

    /// Sweeps of coordinate descent, until hardly a code changes.
    private func sweep(_ weight: Matrix, _ h: Matrix, _ bytes: inout [UInt8], _ blocks: BlockCodes, _ solver: Solver) {
        let coded = read(bytes, blocks, rows: weight.rows, columns: weight.columns)
        let differences = bytes.withUnsafeBytes {
            Matrix(Weight(type: blocks.type, outputs: weight.rows, inputs: weight.columns, bytes: $0))
        }
        let turned = Matrix(rows: weight.rows, columns: weight.columns)
        for row in 0..<weight.rows {
            let (d, w, t) = (differences.row(row), weight.row(row), turned.row(row))
            for column in 0..<d.count {
                d[column] -= w[column]
                t[column] = -d[column]
            }
        }
        let gradients = Matrix(rows: weight.rows, columns: weight.columns)
        solver.subtractProduct(turned, h, from: gradients)
        var fields = ScaleLayout(blocks.type).map { layout in bytes.withUnsafeBytes { ScaleFields(layout, $0) } }
        for _ in 0..<sweeps {
            let changes = solver.descend(weight, h, differences, gradients, coded)
            if changes * 2000 < weight.rows * weight.columns { break }
            if fields != nil { solver.rescale(h, differences, gradients, coded, &fields!) }
        }
        bytes.withUnsafeMutableBytes { fields?.write(to: $0) }
        put(coded, into: &bytes, blocks)
    }

    private func read(_ bytes: [UInt8], _ blocks: BlockCodes, rows: Int, columns: Int) -> CodedWeight {
        let coded = CodedWeight(
            type: blocks.type, rows: rows, columns: columns, groups: columns / blocks.group,
            groupOfColumn: (0..<columns).map { Int32($0 / blocks.group) })
        let rowBytes = bytes.count / rows
        bytes.withUnsafeBytes { bytes in
            for row in 0..<rows {
                let read = blocks.read(
                    UnsafeRawBufferPointer(rebasing: bytes[row * rowBytes..<(row + 1) * rowBytes]))
                coded.codes.replaceSubrange(row * columns..<(row + 1) * columns, with: read.codes)
                coded.scales.replaceSubrange(row * coded.groups..<(row + 1) * coded.groups, with: read.scales)
                coded.minimums.replaceSubrange(row * coded.groups..<(row + 1) * coded.groups, with: read.minimums)
            }
        }
        return coded
    }

    private func put(_ coded: CodedWeight, into bytes: inout [UInt8], _ blocks: BlockCodes) {
        let rowBytes = bytes.count / coded.rows
        bytes.withUnsafeMutableBytes { bytes in
            coded.codes.withUnsafeBufferPointer { codes in
                for row in 0..<coded.rows {
                    blocks.replaceCodes(
                        in: UnsafeMutableRawBufferPointer(rebasing: bytes[row * rowBytes..<(row + 1) * rowBytes]),
                        with: UnsafeBufferPointer(rebasing: codes[row * coded.columns..<(row + 1) * coded.columns]))
                }
            }
        }
    }
}
