public import Tensors

/// Turns a weight into a format's bytes. One method, one file, and a line in ``Methods``.
///
/// The result depends on weight, statistics, format and the quantizer's own parameters alone: not on threads or the machine.
public protocol Quantizer: Sendable {
    /// What it reads of the inputs' statistics.
    var need: CalibrationNeed { get }

    /// Quantizes a weight.
    ///
    /// - Parameters:
    ///   - weight: [outputs, inputs], finite.
    ///   - statistics: of the inputs, as far as ``need`` says; nil where it needs nothing.
    ///   - type: the format.
    /// - Throws: ``CompressionError`` where the method does not go with the format.
    func quantize(
        _ weight: Matrix, _ statistics: InputStatistics?, as type: ElementType, _ solver: Solver
    ) throws(CompressionError) -> QuantizedWeight
}

/// A weight in a format, and what that cost.
public struct QuantizedWeight: Sendable {
    public var type: ElementType
    /// Row after row, as the format holds them.
    public var bytes: [UInt8]
    /// What the bytes stand for, [outputs, inputs].
    public var effective: Matrix
    /// What the method chose, for the recipe.
    public var choices: [String: String] = [:]
    /// What stands beside it.
    var extras: [ExtraTensor] = []

    /// Decodes the bytes.
    init(type: ElementType, bytes: [UInt8], outputs: Int, inputs: Int) {
        self.type = type
        self.bytes = bytes
        effective = bytes.withUnsafeBytes {
            Matrix(Weight(type: type, outputs: outputs, inputs: inputs, bytes: $0))
        }
    }
}

/// The squared error that a change of a weight makes in its outputs, as a share of the outputs' own: Σ (d x)² / Σ (w x)².
///
/// With moments over all calibration rows; with sums of squares alone as if inputs were independent; without statistics of the
/// weight itself.
///
/// - Complexity: outputs × inputs² multiply-adds with moments.
func outputError(_ weight: Matrix, _ other: Matrix, _ statistics: InputStatistics?, _ solver: Solver) -> Double {
    let difference = Matrix(copying: other)
    for row in 0..<weight.rows {
        let (a, b) = (difference.row(row), weight.row(row))
        for column in 0..<a.count { a[column] -= b[column] }
    }
    return outputEnergy(difference, statistics, solver)
        / max(outputEnergy(weight, statistics, solver), .leastNormalMagnitude)
}

/// Σ (w x)² over all rows and outputs.
func outputEnergy(_ weight: Matrix, _ statistics: InputStatistics?, _ solver: Solver) -> Double {
    if let moments = statistics?.moments {
        return HalvedMoments(moments).energy(weight, into: Matrix(rows: weight.rows, columns: weight.columns), solver)
    }
    var sum = 0.0
    for row in 0..<weight.rows {
        let values = weight.row(row)
        for column in 0..<values.count {
            sum += Double(values[column]) * Double(values[column]) * (statistics?.squares[column] ?? 1)
        }
    }
    return sum
}

/// XᵀX for errors in outputs: a symmetric matrix is its lower half, with half the diagonal, and that half turned, which takes half the
/// multiply-adds.
struct HalvedMoments {
    private let lower: Matrix

    init(_ moments: Matrix) {
        lower = Matrix(copying: moments)
        for row in 0..<lower.rows {
            let values = lower.row(row)
            values[row] *= 0.5
            values[(row + 1)...].update(repeating: 0)
        }
    }

    /// Σ (w x)² over all rows and outputs.
    ///
    /// - Parameter product: room of the weight's shape; what it holds is lost.
    func energy(_ weight: Matrix, into product: Matrix, _ solver: Solver) -> Double {
        for row in 0..<product.rows { product.row(row).update(repeating: 0) }
        solver.subtractProduct(weight, lowerTriangle: lower, from: product)
        var sum = 0.0
        for row in 0..<weight.rows {
            let (a, b) = (weight.row(row), product.row(row))
            var rowSum = 0.0
            for column in 0..<a.count { rowSum -= Double(a[column]) * Double(b[column]) }
            sum += rowSum
        }
        return 2 * sum
    }
}
