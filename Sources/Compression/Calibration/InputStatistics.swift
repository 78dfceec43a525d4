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

    /// Mean of x² of each input.
    public var meanSquares: [Float] { squares.map { Float($0 / Double(max(rows, 1))) } }
    /// Mean of |x| of each input.
    public var meanMagnitudes: [Float] { magnitudes.map { Float($0 / Double(max(rows, 1))) } }
    /// Largest |x| of each input.
    public var largest: [Float] { zip(minimum, maximum).map { max(abs($0), abs($1)) } }
}
