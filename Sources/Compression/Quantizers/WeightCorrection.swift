internal import Checkpoints
internal import Tensors

/// What stands beside a quantized weight to take back part of its error, and how it is found.
///
/// - A **sparse part** keeps the weights that quantization would cost most at full precision: outliers, which stretch everyone's scale, and
///   numbers that the outputs depend on most (Kim et al. 2024, SqueezeLLM, section 4.2; eight of nine are outliers there, one of nine
///   sensitive). They are zero in what is quantized.
/// - A **low-rank part** is the best approximation of the error that is left by a product of two thin matrices (Yao et al. 2023,
///   ZeroQuant-V2, section 5: LoRC). Where the inputs' sizes are known, the error is weighted with them (Zhang et al. 2024, LQER,
///   section 3.2), so that it is the error in the outputs that shrinks.
struct WeightCorrection {
    /// Columns and rows of the two thin matrices; 0 for none.
    var rank = 0
    /// The share of a weight's numbers that the sparse part keeps, 0 ..< 1.
    var sparseShare = 0.0

    var isNone: Bool { rank == 0 && sparseShare == 0 }

    /// Quantizes the rest of a weight and adds what corrects it.
    func quantize(
        _ weight: Matrix, _ statistics: InputStatistics?, as type: ElementType, by quantizer: any Quantizer, _ solver: Solver
    ) throws(CompressionError) -> QuantizedWeight {
        if isNone { return try quantizer.quantize(weight, statistics, as: type, solver) }
        let kept = sparsePlaces(weight, statistics)
        let rest = Matrix(copying: weight)
        for place in kept { rest.row(place / weight.columns)[place % weight.columns] = 0 }
        var made = try quantizer.quantize(rest, statistics, as: type, solver)
        if !kept.isEmpty {
            let part = SparsePart(weight, made.effective, places: kept)
            part.add(to: made.effective)
            made.extras += part.tensors
            made.choices["sparse"] = "\(kept.count)"
        }
        if rank > 0 {
            let part = LowRankPart(
                weight, made.effective, rank: min(rank, min(weight.rows, weight.columns)), statistics?.meanSquares, solver)
            part.add(to: made.effective, solver)
            made.extras += part.tensors
            made.choices["low_rank"] = "\(part.down.rows)"
        }
        return made
    }

    /// Places of the numbers that are kept, ascending: row · columns + column.
    private func sparsePlaces(_ weight: Matrix, _ statistics: InputStatistics?) -> [Int] {
        let total = weight.rows * weight.columns
        let count = Int(Double(total) * sparseShare)
        guard count > 0 else { return [] }
        let importance = statistics?.meanSquares
        let outliers = importance == nil ? count : count - count / 9
        var isKept = [Bool](repeating: false, count: total)
        func keep(_ count: Int, _ score: (Int, Float) -> Float) {
            guard count > 0 else { return }
            var scores = [Float](repeating: 0, count: total)
            for row in 0..<weight.rows {
                let values = weight.row(row)
                for column in 0..<values.count {
                    let place = row * weight.columns + column
                    scores[place] = isKept[place] ? -1 : score(column, values[column])
                }
            }
            let least = scores.sorted(by: >)[count - 1]
            // Of equals the first ones.
            var left = count - scores.reduce(0) { $0 + ($1 > least ? 1 : 0) }
            for place in 0..<total where scores[place] >= least {
                if scores[place] == least {
                    guard left > 0 else { continue }
                    left -= 1
                }
                isKept[place] = true
            }
        }
        keep(outliers) { _, value in abs(value) }
        if let importance { keep(count - outliers) { column, value in importance[column] * value * value } }
        return isKept.indices.filter { isKept[$0] }
    }
}

/// A tensor that stands beside a weight in a folder of layout apus, under the weight's stem.
struct ExtraTensor {
    /// What a header says of it.
    struct Kind {
        var suffix: String
        var shape: [Int]
        var type: SafetensorsType
    }

    var kind: Kind
    var bytes: [UInt8]

    var suffix: String { kind.suffix }

    init(_ suffix: String, _ shape: [Int], halves: [Float]) {
        kind = Kind(suffix: suffix, shape: shape, type: .f16)
        bytes = halves.flatMap { value in withUnsafeBytes(of: Float16(value).bitPattern.littleEndian) { Array($0) } }
    }

    init(_ suffix: String, integers: [Int32]) {
        kind = Kind(suffix: suffix, shape: [integers.count], type: .i32)
        bytes = integers.withUnsafeBytes { Array($0) }
    }

    init(_ kind: Kind, bytes: [UInt8]) { (self.kind, self.bytes) = (kind, bytes) }

    /// Puts what a weight's extras stand for on top of its numbers.
    static func add(_ extras: [ExtraTensor], to matrix: Matrix, _ solver: Solver) {
        func floats(_ suffix: String) -> [Float]? {
            extras.first { $0.suffix == suffix }.map { extra in
                extra.bytes.withUnsafeBytes {
                    $0.isEmpty ? [] : Weight(type: .f16, outputs: 1, inputs: $0.count / 2, bytes: $0).floats(ofRow: 0)
                }
            }
        }
        func integers(_ suffix: String) -> [Int32] {
            let extra = extras.first { $0.suffix == suffix }!
            return extra.bytes.withUnsafeBytes { bytes in
                (0..<bytes.count / 4).map { Int32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Int32.self)) }
            }
        }
        if let values = floats(CorrectionNames.sparseValues) {
            SparsePart(
                starts: integers(CorrectionNames.sparseStarts), columns: integers(CorrectionNames.sparseColumns), values: values
            ).add(to: matrix)
        }
        if let down = floats(CorrectionNames.lowRankDown), let up = floats(CorrectionNames.lowRankUp) {
            let rank = down.count / matrix.columns
            LowRankPart(
                down: Matrix(rows: rank, columns: matrix.columns, down), up: Matrix(rows: matrix.rows, columns: rank, up)
            ).add(to: matrix, solver)
        }
    }
}

/// Single numbers of a weight, row after row.
private struct SparsePart {
    /// Where each row's numbers begin, and the end of the last.
    var starts: [Int32]
    var columns: [Int32]
    /// What is added to what the quantized weight stands for there.
    var values: [Float]

    init(starts: [Int32], columns: [Int32], values: [Float]) {
        (self.starts, self.columns, self.values) = (starts, columns, values)
    }

    init(_ weight: Matrix, _ effective: Matrix, places: [Int]) {
        (starts, columns, values) = ([0], [], [])
        for place in places {
            let (row, column) = (place / weight.columns, place % weight.columns)
            while starts.count <= row { starts.append(Int32(columns.count)) }
            columns.append(Int32(column))
            values.append(Float(Float16(weight.row(row)[column] - effective.row(row)[column])))
        }
        while starts.count <= weight.rows { starts.append(Int32(columns.count)) }
    }

    func add(to matrix: Matrix) {
        for row in 0..<matrix.rows {
            let target = matrix.row(row)
            for place in Int(starts[row])..<Int(starts[row + 1]) { target[Int(columns[place])] += values[place] }
        }
    }

    var tensors: [ExtraTensor] {
        [
            ExtraTensor(CorrectionNames.sparseStarts, integers: starts),
            ExtraTensor(CorrectionNames.sparseColumns, integers: columns),
            ExtraTensor(CorrectionNames.sparseValues, [values.count], halves: values),
        ]
    }
}

/// up · down, [outputs, rank] · [rank, inputs].
private struct LowRankPart {
    var down: Matrix
    var up: Matrix

    init(down: Matrix, up: Matrix) { (self.down, self.up) = (down, up) }

    /// The best approximation of weight − effective, columns weighted by the root of `meanSquares` where they are known: subspace
    /// iteration on the error's right singular vectors, from a fixed beginning.
    init(_ weight: Matrix, _ effective: Matrix, rank: Int, _ meanSquares: [Float]?, _ solver: Solver) {
        let error = Matrix(copying: weight)
        let sizes = meanSquares.map { importanceFloor($0).map { $0.squareRoot() } }
        for row in 0..<error.rows {
            let (a, b) = (error.row(row), effective.row(row))
            for column in 0..<a.count { a[column] = (a[column] - b[column]) * (sizes?[column] ?? 1) }
        }
        var basis = Matrix(rows: rank, columns: error.columns)
        var state: UInt64 = 1
        for row in 0..<rank {
            let values = basis.row(row)
            for column in 0..<values.count {
                // Knuth's multiplicative generator: any beginning will do that is at no right angle to what is sought.
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                values[column] = Float(Int32(truncatingIfNeeded: state >> 32)) / 0x1p31
            }
        }
        Self.orthonormalize(basis)
        // −error · basisᵀ: the sign goes out again with the second product.
        func image() -> Matrix {
            let result = Matrix(rows: error.rows, columns: rank)
            solver.subtractProduct(error, basis.transposed, from: result)
            return result
        }
        for _ in 0..<Self.iterations {
            let next = Matrix(rows: rank, columns: error.columns)
            solver.subtractProduct(image().transposed, error, from: next)
            Self.orthonormalize(next)
            basis = next
        }
        (down, up) = (basis, image())
        for index in 0..<rank {
            let values = down.row(index)
            for column in 0..<values.count { values[column] = -values[column] / (sizes?[column] ?? 1) }
            // Both halves equally large, so that neither leaves the range of halves.
            let first = values.reduce(Float(0)) { max($0, abs($1)) }
            let second = (0..<up.rows).reduce(Float(0)) { max($0, abs(up.row($1)[index])) }
            let factor = first > 0 && second > 0 ? (second / first).squareRoot() : 1
            for column in 0..<values.count { values[column] = Float(Float16(values[column] * factor)) }
            for row in 0..<up.rows { up.row(row)[index] = Float(Float16(up.row(row)[index] / factor)) }
        }
    }

    private static let iterations = 12

    /// Rows of length 1 at right angles; what is left of a row of zeros stays zero.
    private static func orthonormalize(_ basis: Matrix) {
        for row in 0..<basis.rows {
            let values = basis.row(row)
            // Twice is enough (Kahan, in Parlett 1998, section 6.9).
            for _ in 0..<2 {
                for other in 0..<row {
                    let before = basis.row(other)
                    var dot = 0.0
                    for column in 0..<values.count { dot += Double(values[column]) * Double(before[column]) }
                    for column in 0..<values.count { values[column] -= Float(dot) * before[column] }
                }
            }
            var square = 0.0
            for value in values { square += Double(value) * Double(value) }
            let inverse = square > 0 ? Float(1 / square.squareRoot()) : 0
            for column in 0..<values.count { values[column] *= inverse }
        }
    }

    func add(to matrix: Matrix, _ solver: Solver) {
        let negative = Matrix(copying: up)
        for row in 0..<negative.rows {
            let values = negative.row(row)
            for column in 0..<values.count { values[column] = -values[column] }
        }
        solver.subtractProduct(negative, down, from: matrix)
    }

    var tensors: [ExtraTensor] {
        [
            ExtraTensor(CorrectionNames.lowRankDown, [down.rows, down.columns], halves: down.values),
            ExtraTensor(CorrectionNames.lowRankUp, [up.rows, up.columns], halves: up.values),
        ]
    }
}
