internal import Models
internal import Tensors

/// Chooses scales that are folded into a block before its weights are rounded, so that rounding costs less.
protocol Scaler: Sendable {
    /// What it reads of the inputs.
    var need: CalibrationNeed { get }
    /// Rows of inputs that it wants as they are.
    var keptRows: Int { get }

    /// One number for each input that is taken from it before it is scaled, and given back by the readers' biases; nil for none. Asked
    /// for only where norm and readers have a place for it.
    func shift(_ input: ProjectionInput, _ statistics: InputStatistics) -> [Float]?

    /// One scale for each input: the input is divided by it, the readers' columns are multiplied by it.
    ///
    /// - Parameters:
    ///   - readers: the weights that multiply the input, [outputs, inputs] each.
    ///   - statistics: of the input.
    ///   - rows: some of the input's rows; nil where none are wanted.
    ///   - types: the formats of the readers.
    /// - Returns: nil where nothing is better than leaving all as it is.
    func scale(
        _ input: ProjectionInput, readers: [Matrix], _ statistics: InputStatistics, rows: Matrix?, types: [ElementType],
        _ solver: Solver
    ) -> [Float]?
}

extension Scaler {
    func shift(_ input: ProjectionInput, _ statistics: InputStatistics) -> [Float]? { nil }
}
