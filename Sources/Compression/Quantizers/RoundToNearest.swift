public import Tensors

/// Each number to the nearest of its group's grid, whose scale a search clips.
///
/// Without statistics the search minimises the squared error of the weight; with them that error weighted by each input's mean
/// square, which is llama.cpp's importance matrix and the diagonal of GPTQ's Hessian.
public struct RoundToNearest: Quantizer {
    /// Whether inputs that are large in the calibration text count more.
    public var usesImportance: Bool
    /// Whether scales are searched for, or follow from each group's extremes.
    public var clips: Bool
    /// Weighs large weights more, as llama.cpp does with an importance matrix.
    public var emphasizesLarge: Bool

    public init(usesImportance: Bool = false, clips: Bool = true, emphasizesLarge: Bool = false) {
        self.usesImportance = usesImportance
        self.clips = clips
        self.emphasizesLarge = emphasizesLarge
    }

    public var need: CalibrationNeed { usesImportance ? .inputs : .nothing }

    public func quantize(
        _ weight: Matrix, _ statistics: InputStatistics?, as type: ElementType, _ solver: Solver
    ) throws(CompressionError) -> QuantizedWeight {
        guard let encoder = WeightEncoder(type, effort: clips ? .search : .plain, emphasizesLarge: emphasizesLarge) else {
            throw CompressionError(
                "\(type.name) is a codebook, and rounding to nearest finds no codebooks; take --method squeezellm")
        }
        let importance = usesImportance ? statistics.map { importanceFloor($0.meanSquares) } : nil
        let rows = encoder.encode(
            weight.values, inputs: weight.columns, importance: importance, threads: solver.threads)
        return QuantizedWeight(type: type, bytes: rows.bytes, outputs: weight.rows, inputs: weight.columns)
    }
}

/// Importances none of which is 0: an input that the calibration text never uses still has a weight to keep.
func importanceFloor(_ squares: [Float]) -> [Float] {
    let mean = squares.reduce(0, +) / Float(max(squares.count, 1))
    return squares.map { max($0, mean * 1e-4, .leastNormalMagnitude) }
}
