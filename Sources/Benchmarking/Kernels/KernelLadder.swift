internal import Models
public import Tensors

/// Every kernel of one table: its speed, as a share of the machine's limits and against the reference table.
///
/// Sizes are those of a layer of `llama-1b`: matrices of 2,048 × 8,192, 32 query heads on 8 heads of keys, 64 wide. Weights, keys and
/// values that a model would read from memory are read from memory here: the measurement goes round more of them than
/// the last cache holds.
public final class KernelLadder {
    static let (outputs, inputs) = (2048, 8192)
    /// Seconds that one figure may take, warming up aside.
    let budget: Double
    let kernels: KernelTable
    let threads: Int
    let limits: Limits

    /// - Parameters:
    ///   - kernels: the table to measure.
    ///   - threads: at least 1.
    ///   - limits: of the machine with as many threads.
    ///   - budget: seconds for one figure.
    public init(kernels: KernelTable, threads: Int, limits: Limits, budget: Double = 0.15) {
        self.kernels = kernels
        self.threads = threads
        self.limits = limits
        self.budget = budget
    }

    /// The table that the others must equal.
    static let reference = KernelTable.available.last!
    var isReference: Bool { kernels.name == Self.reference.name }

    /// Products of each format with each number of rows, quantizing the activations included.
    ///
    /// - Parameters:
    ///   - formats: of the weights.
    ///   - rows: numbers of rows, each at least 1.
    ///   - report: gets each figure as it is there.
    public func products(formats: [ElementType], rows: [Int], report: (KernelReport) -> Void) {
        let most = rows.max() ?? 1
        let ops = Ops(kernels: kernels, threads: threads, maximumRows: most, maximumInputs: Self.inputs)
        let slow = Ops(kernels: Self.reference, threads: threads, maximumRows: most, maximumInputs: Self.inputs)
        let x = RandomRows(most, width: Self.inputs)
        let out = RandomRows(most, width: Self.outputs)
        for format in formats {
            let weights = WeightRing(format: format, outputs: Self.outputs, inputs: Self.inputs)
            for count in rows {
                let (input, output) = (x.first(count), out.first(count))
                var next = 0
                let seconds = measureRepeatedly(budget: budget) {
                    ops.product(ops.input(input), weights[next], into: output)
                    next += 1
                }
                let operations = 2 * Double(Self.outputs) * Double(Self.inputs) * Double(count)
                let times = isReference ? 1 : referenceSeconds(slow, format: format, input) / seconds.median
                report(
                    KernelReport(
                        kernel: "product", format: format.name.lowercased(), rows: count, slots: 0, seconds: seconds,
                        operations: operations, bytes: Double(weights.bytesOfOne),
                        share: LimitShare(
                            seconds: seconds.median, bytes: Double(weights.bytesOfOne),
                            operations: format.isQuantized ? (operations, 0) : (0, operations), limits: limits),
                        timesReference: times))
            }
        }
    }

    /// Seconds of the reference for the whole product, from a sixteenth of its outputs: its speed does not depend on them.
    private func referenceSeconds(_ ops: Ops, format: ElementType, _ x: Rows) -> Double {
        let part = Self.outputs / 16
        let narrow = RandomRows(x.count, width: part)
        let ring = WeightRing(format: format, outputs: part, inputs: Self.inputs, copies: 1)
        let weight = ring[0]
        return 16
            * measureRepeatedly(budget: budget / 4) { ops.product(ops.input(x), weight, into: narrow.all) }.median
    }
}

/// Equal matrices with random weights, together larger than the last cache, taken in turn.
final class WeightRing {
    private let panels = PanelStorage(threads: availableProcessors())
    private var weights: [PackedWeight] = []
    private let memory: UnsafeMutableRawBufferPointer
    /// The rows as a file holds them.
    let rows: Weight
    let bytesOfOne: Int

    /// - Parameter copies: how many; nil for enough to leave the caches.
    init(format: ElementType, outputs: Int, inputs: Int, copies: Int? = nil) {
        bytesOfOne = outputs * format.byteCount(elements: inputs)!
        let count = copies ?? max(2, 4 * lastCacheBytes() / bytesOfOne + 1)
        memory = .allocate(byteCount: bytesOfOne, alignment: 64)
        var random = RandomWeights(type: format, deviation: 0.02, seed: 1)
        random.fill(memory)
        rows = Weight(type: format, outputs: outputs, inputs: inputs, bytes: UnsafeRawBufferPointer(memory))
        for _ in 0..<count { weights.append(panels.pack(rows)) }
    }

    deinit { memory.deallocate() }

    subscript(index: Int) -> PackedWeight { weights[index % weights.count] }
}
