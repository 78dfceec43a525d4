internal import Models
internal import Tensors

/// Outliers of activations moved into weights (Xiao et al. 2023, SmoothQuant, section 4): s = max|x|^α / max|w|^(1 − α).
struct SmoothQuant: Scaler {
    /// How much of the outliers moves: 0 none, 1 all; the authors take a half.
    var migration = 0.5

    var need: CalibrationNeed { .inputs }
    var keptRows: Int { 0 }

    func scale(
        _ input: ProjectionInput, readers: [Matrix], _ statistics: InputStatistics, rows: Matrix?, types: [ElementType],
        _ solver: Solver
    ) -> [Float]? {
        // The authors smooth what norms make; the way from one projection to another they leave alone.
        guard input == .attention || input == .feedForward else { return nil }
        let columns = largestOfColumns(readers)
        return zip(statistics.largest, columns).map { activation, weight in
            max(power(max(activation, 1e-5), migration) / power(max(weight, 1e-5), 1 - migration), 1e-5)
        }
    }
}

/// max|w| of each column over all weights.
func largestOfColumns(_ weights: [Matrix]) -> [Float] {
    var result = [Float](repeating: 0, count: weights[0].columns)
    for weight in weights {
        for row in 0..<weight.rows {
            let values = weight.row(row)
            for column in 0..<values.count { result[column] = max(result[column], abs(values[column])) }
        }
    }
    return result
}

/// The middle of every input's range is taken from it (Wei et al. 2023, Outlier Suppression+, section 4.1: z = (max x + min x) / 2), then
/// scales bring every range below a threshold, which a search finds by the error in the outputs (section 4.2: s = max(1, max|x| / t)).
///
/// A shift goes into the norm and comes back by the readers' biases, which folders of layout apus have a place for; elsewhere the scale
/// works on ranges around zero.
struct OutlierSuppression: Scaler {
    var steps = 40

    var need: CalibrationNeed { .inputs }
    var keptRows: Int { 512 }

    func shift(_ input: ProjectionInput, _ statistics: InputStatistics) -> [Float]? {
        guard input == .attention || input == .feedForward else { return nil }
        return zip(statistics.minimum, statistics.maximum).map { ($0 + $1) / 2 }
    }

    func scale(
        _ input: ProjectionInput, readers: [Matrix], _ statistics: InputStatistics, rows: Matrix?, types: [ElementType],
        _ solver: Solver
    ) -> [Float]? {
        guard input == .attention || input == .feedForward, let rows else { return nil }
        let largest = statistics.largest
        guard let top = largest.max(), top > 0 else { return nil }
        let exact = readers.map { outputs(rows, $0, solver) }
        var best: (error: Double, scale: [Float]?) = (.infinity, nil)
        for step in 0..<steps {
            let threshold = top * Float(steps - step) / Float(steps)
            let scale = step == 0 ? nil : largest.map { max(1, $0 / threshold) }
            let smoothed = Matrix(copying: rows)
            if let scale { smoothed.scaleColumns(by: scale.map { 1 / $0 }) }
            smoothed.roundActivations()
            var error = 0.0
            for (index, (weight, type)) in zip(readers, types).enumerated() {
                let scaled = Matrix(copying: weight)
                if let scale { scaled.scaleColumns(by: scale) }
                guard let encoder = WeightEncoder(type, effort: .plain) else { return nil }
                let encoded = encoder.encode(scaled.values, inputs: weight.columns, threads: solver.threads)
                let rounded = encoded.bytes.withUnsafeBytes {
                    Matrix(Weight(type: type, outputs: weight.rows, inputs: weight.columns, bytes: $0))
                }
                let result = outputs(smoothed, rounded, solver)
                for row in 0..<result.rows {
                    let (a, b) = (result.row(row), exact[index].row(row))
                    for column in 0..<a.count {
                        let difference = Double(a[column] - b[column])
                        error += difference * difference
                    }
                }
            }
            if error < best.error { best = (error, scale) }
        }
        return best.scale
    }

    /// −x · wᵀ: the sign is the same for all that is compared.
    private func outputs(_ x: Matrix, _ weight: Matrix, _ solver: Solver) -> Matrix {
        let result = Matrix(rows: x.rows, columns: weight.rows)
        solver.subtractProduct(x, weight.transposed, from: result)
        return result
    }
}

extension Matrix {
    /// Rounds every 32 inputs of a row to whole numbers in −127…127 times largest / 127, as products do before they multiply
    /// quantized weights.
    func roundActivations() {
        for row in 0..<rows {
            let values = self.row(row)
            for first in Swift.stride(from: 0, to: columns, by: 32) {
                let range = first..<min(first + 32, columns)
                let largest = range.reduce(Float(0)) { max($0, abs(values[$1])) }
                guard largest > 0 else { continue }
                let scale = largest / 127
                for column in range { values[column] = (values[column] * (127 / largest)).rounded(.toNearestOrEven) * scale }
            }
        }
    }
}
