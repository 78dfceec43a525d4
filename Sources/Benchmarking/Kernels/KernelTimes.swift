public import Tensors

/// Measured seconds of matrix products by format and shape on this machine: what an allocation under a budget of time chooses from.
///
/// A product is measured with one row, as decoding one answer makes it, on weights that the caches do not hold, as a model's are when their
/// turn comes again; equal questions are measured once.
public final class KernelTimes {
    private struct Key: Hashable {
        var type: ElementType
        var outputs: Int
        var inputs: Int
        var rows: Int
    }

    private let kernels: KernelTable
    private let threads: Int
    private let budget: Double
    private var known: [Key: Double] = [:]

    /// - Parameters:
    ///   - kernels: the table that computes.
    ///   - threads: at least 1.
    ///   - budget: seconds that one measurement may take.
    public init(kernels: KernelTable = KernelTable.available[0], threads: Int, budget: Double = 0.05) {
        self.kernels = kernels
        self.threads = threads
        self.budget = budget
    }

    /// Seconds of a product: the median of repeats, rounding of the activations included.
    ///
    /// - Parameters:
    ///   - type: the weight's format; nil is returned where a row is no whole number of its blocks.
    ///   - outputs: rows of the weight.
    ///   - inputs: elements of a row.
    ///   - rows: rows of activations.
    public func seconds(_ type: ElementType, outputs: Int, inputs: Int, rows: Int = 1) -> Double? {
        guard type.byteCount(elements: inputs) != nil else { return nil }
        let key = Key(type: type, outputs: outputs, inputs: inputs, rows: rows)
        if let found = known[key] { return found }
        let ops = Ops(kernels: kernels, threads: threads, maximumRows: rows, maximumInputs: inputs)
        let (x, out) = (RandomRows(rows, width: inputs), RandomRows(rows, width: outputs))
        let weights = WeightRing(format: type, outputs: outputs, inputs: inputs)
        var next = 0
        let seconds = measureRepeatedly(budget: budget) {
            ops.product(ops.input(x.all), weights[next], into: out.all)
            next += 1
        }.median
        known[key] = seconds
        return seconds
    }
}
