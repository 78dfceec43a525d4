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
        let salience = statistics.meanMagnitudes
        var best: (error: Double, scale: [Float]?) = (.infinity, nil)
        for step in 0..<steps {
            let exponent = Double(step) / Double(steps)
            let scale = step == 0 ? nil : normalised(salience.map { power(max($0, 1e-4), exponent) })
            var error = 0.0
            for (weight, type) in zip(readers, types) {
                error += roundingError(weight, scale, statistics, type, solver)
            }
            if error < best.error { best = (error, scale) }
        }
        return best.scale
    }

    /// √(largest · smallest) becomes 1.
    private func normalised(_ scale: [Float]) -> [Float] {
        let middle = (scale.max()! * scale.min()!).squareRoot()
        return scale.map { $0 / middle }
    }

    /// Σ ((Q(w s) / s − w) x)² over all rows.
    private func roundingError(
        _ weight: Matrix, _ scale: [Float]?, _ statistics: InputStatistics, _ type: ElementType, _ solver: Solver
    ) -> Double {
        guard let encoder = WeightEncoder(type, effort: .plain) else { return 0 }
        let error = Matrix(rows: weight.rows, columns: weight.columns)
        inParallel(weight.rows, grain: 16, threads: solver.threads) { part in
            for row in part {
                let (scaled, values) = (error.row(row), weight.row(row))
                for column in 0..<values.count { scaled[column] = values[column] * (scale?[column] ?? 1) }
            }
        }
        let rows = encoder.encode(error.values, inputs: weight.columns, threads: solver.threads)
        let back = scale?.map { 1 / $0 }
        rows.bytes.withUnsafeBytes { bytes in
            let rounded = Weight(type: type, outputs: weight.rows, inputs: weight.columns, bytes: bytes)
            inParallel(weight.rows, grain: 16, threads: solver.threads) { part in
                for row in part {
                    let (difference, values) = (error.row(row), weight.row(row))
                    rounded.read(row: row, into: difference)
                    for column in 0..<values.count {
                        difference[column] = difference[column] * (back?[column] ?? 1) - values[column]
                    }
                }
            }
        }
        return outputEnergy(error, statistics, solver)
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
