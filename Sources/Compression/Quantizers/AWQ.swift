internal import Models
internal import Tensors

/// Activation-aware scales (Lin et al. 2024, AWQ, section 3.2): s = (mean |x|)^α, normalised so that √(largest · smallest) is 1; α in
/// 0, 0.05, … 0.95 is that with the least error in the outputs of all readers together, where each is rounded to nearest.
///
/// The error is that of every calibration row, from the inputs' moments, where the authors' code runs a sample of rows.
struct AWQ: Scaler {
    var steps = 20

    var need: CalibrationNeed { .moments }
    var keptRows: Int { 0 }

    func scale(
        _ input: ProjectionInput, readers: [Matrix], _ statistics: InputStatistics, rows: Matrix?, types: [ElementType],
        _ solver: Solver
    ) -> [Float]? {
        guard let moments = statistics.moments.map(HalvedMoments.init) else { return nil }
        let salience = statistics.meanMagnitudes
        let scales = (0..<steps).map { step in
            step == 0 ? nil : normalised(salience.map { power(max($0, 1e-4), Double(step) / Double(steps)) })
        }
        var errors = [Double](repeating: 0, count: steps)
        for (weight, type) in zip(readers, types) {
            guard let encoder = WeightEncoder(type, effort: .plain) else { continue }
            var scaled = [Float](repeating: 0, count: weight.rows * weight.columns)
            let error = Matrix(rows: weight.rows, columns: weight.columns)
            let product = Matrix(rows: weight.rows, columns: weight.columns)
            for (step, scale) in scales.enumerated() {
                roundingError(weight, scale, encoder, threads: solver.threads, &scaled, into: error)
                errors[step] += moments.energy(error, into: product, solver)
            }
        }
        let best = errors.indices.min { errors[$0] < errors[$1] }!
        return scales[best]
    }

    /// √(largest · smallest) becomes 1.
    private func normalised(_ scale: [Float]) -> [Float] {
        let middle = (scale.max()! * scale.min()!).squareRoot()
        return scale.map { $0 / middle }
    }

    /// Q(w s) / s − w.
    ///
    /// - Parameter scaled: room for the weight's numbers; what it holds is lost.
    private func roundingError(
        _ weight: Matrix, _ scale: [Float]?, _ encoder: WeightEncoder, threads: Int, _ scaled: inout [Float], into error: Matrix
    ) {
        scaled.withUnsafeMutableBufferPointer { scaled in
            for row in 0..<weight.rows {
                let values = weight.row(row)
                let target = scaled.baseAddress! + row * values.count
                for column in 0..<values.count { target[column] = values[column] * (scale?[column] ?? 1) }
            }
        }
        let rows = encoder.encode(scaled, inputs: weight.columns, threads: threads)
        let back = scale?.map { 1 / $0 }
        rows.bytes.withUnsafeBytes { bytes in
            let rounded = Weight(type: encoder.type, outputs: weight.rows, inputs: weight.columns, bytes: bytes)
            inParallel(weight.rows, grain: 16, threads: threads) { part in
                for row in part {
                    let (difference, values) = (error.row(row), weight.row(row))
                    rounded.read(row: row, into: difference)
                    for column in 0..<values.count {
                        difference[column] = difference[column] * (back?[column] ?? 1) - values[column]
                    }
                }
            }
        }
    }
}

extension Matrix {
    func scaleColumns(by scale: [Float]) {
        for row in 0..<rows {
            let values = self.row(row)
            for column in 0..<values.count { values[column] *= scale[column] }
        }
    }
}

/// x^y for positive x.
func power(_ x: Float, _ y: Double) -> Float { Float(ScalarMath.pow(Double(x), y)) }
