public import Tensors

/// What calibration keeps of the inputs of a projection, over all rows of the calibration text.
///
/// All sums have one order, ascending rows, whatever the threads: the same text and model give the same bits.
public struct InputStatistics: Sendable {
    /// Rows seen.
    public var rows = 0
    /// Σ x² of each input: the importance of its column (the "importance matrix" of llama.cpp, and half the diagonal of
    /// GPTQ's Hessian).
    public var squares: [Double]
    /// Σ |x| of each input (AWQ's measure of salience).
    public var magnitudes: [Double]
    /// Smallest and largest x of each input (SmoothQuant, Outlier Suppression+).
    public var minimum: [Float]
    public var maximum: [Float]
    /// XᵀX, [inputs, inputs], both triangles; nil where the method does not need it.
    public var moments: Matrix?

    public init(inputs: Int) {
        squares = [Double](repeating: 0, count: inputs)
        magnitudes = [Double](repeating: 0, count: inputs)
        minimum = [Float](repeating: .infinity, count: inputs)
        maximum = [Float](repeating: -.infinity, count: inputs)
    }

    public var inputs: Int { squares.count }

    /// Adds rows to all but ``moments``.
    mutating func add(_ x: Rows) {
        precondition(x.width == inputs)
        squares.withUnsafeMutableBufferPointer { squares in
            magnitudes.withUnsafeMutableBufferPointer { magnitudes in
                minimum.withUnsafeMutableBufferPointer { minimum in
                    maximum.withUnsafeMutableBufferPointer { maximum in
                        for row in 0..<x.count {
                            let values = x.elements(of: row)
                            for input in 0..<values.count {
                                let value = values[input]
                                squares[input] += Double(value) * Double(value)
                                magnitudes[input] += Double(abs(value))
                                minimum[input] = min(minimum[input], value)
                                maximum[input] = max(maximum[input], value)
                            }
                        }
                    }
                }
            }
        }
        rows += x.count
    }

    /// The statistics of the same inputs after x[j] := x[j] / scale[j].
    func scaled(by scale: [Float]) -> InputStatistics {
        var result = self
        for input in 0..<inputs {
            let factor = 1 / Double(scale[input])
            result.squares[input] *= factor * factor
            result.magnitudes[input] *= factor
            result.minimum[input] /= scale[input]
            result.maximum[input] /= scale[input]
        }
        if let moments {
            let changed = Matrix(copying: moments)
            for row in 0..<inputs {
                let values = changed.row(row)
                for column in 0..<inputs { values[column] /= scale[row] * scale[column] }
            }
            result.moments = changed
        }
        return result
    }

    /// Mean of x² of each input.
    public var meanSquares: [Float] { squares.map { Float($0 / Double(max(rows, 1))) } }
    /// Mean of |x| of each input.
    public var meanMagnitudes: [Float] { magnitudes.map { Float($0 / Double(max(rows, 1))) } }
    /// Largest |x| of each input.
    public var largest: [Float] { zip(minimum, maximum).map { max(abs($0), abs($1)) } }
}
