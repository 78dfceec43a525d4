internal import Tensors

/// What a method wants to know of a projection's inputs.
public enum CalibrationNeed: Int, Sendable, Comparable {
    case nothing
    /// Sums and extremes of each input.
    case inputs
    /// XᵀX as well.
    case moments

    public static func < (a: CalibrationNeed, b: CalibrationNeed) -> Bool { a.rawValue < b.rawValue }
}

/// Adds rows up to an ``InputStatistics``.
final class InputCollector {
    private(set) var statistics: InputStatistics
    private let solver: Solver
    /// Some of the rows as they are, for searches that run a projection: the first of each `rowStep`.
    private(set) var kept: [Float] = []
    private let keeps: Int
    private let rowStep: Int

    /// - Parameters:
    ///   - keeping: at most how many of the rows are kept as they are, spread evenly.
    ///   - total: how many rows will come.
    init(inputs: Int, need: CalibrationNeed, keeping: Int = 0, total: Int, _ solver: Solver) {
        statistics = InputStatistics(inputs: inputs)
        self.solver = solver
        keeps = min(keeping, total)
        rowStep = keeps > 0 ? total / keeps : 1
        if need == .moments { statistics.moments = Matrix(rows: inputs, columns: inputs) }
    }

    func add(_ rows: Rows) {
        if let moments = statistics.moments { solver.addMoments(rows, to: moments) }
        for row in 0..<rows.count where keeps > 0 && (statistics.rows + row) % rowStep == 0 {
            if kept.count < keeps * rows.width { kept += rows.elements(of: row) }
        }
        statistics.add(rows)
    }

    func finish() -> InputStatistics {
        if let moments = statistics.moments { solver.mirror(moments) }
        return statistics
    }

    /// The kept rows, [rows, inputs].
    var keptRows: Matrix? {
        kept.isEmpty
            ? nil : Matrix(rows: kept.count / statistics.inputs, columns: statistics.inputs, kept)
    }
}
