internal import CKernels

/// Everything a model can do with rows: whole operations over a batch, shared out over threads below this line.
///
/// One object per engine, used by one thread. An operation on a small batch runs on the calling thread; how the work
/// is split never changes a bit of the result. No operation allocates.
public final class Ops {
    public let kernels: KernelTable
    public let threads: Int
    let table: apus_kernels
    private let pool: WorkerPool

    // Activations of the last quantized input, for products with integer weights.
    private let codes: UnsafeMutablePointer<Int8>
    private let scales: UnsafeMutablePointer<Float>
    private let sums: UnsafeMutablePointer<Int32>
    private let codeCapacity: Int
    private let maximumRows: Int
    private let maximumInputs: Int
    private var quantizedSerial = 0
    private var serial = 0

    /// - Parameters:
    ///   - kernels: the table that computes.
    ///   - threads: how many threads an operation may use, at least 1.
    ///   - maximumRows: the most rows of a batch.
    ///   - maximumInputs: the longest row that a weight multiplies.
    public init(kernels: KernelTable, threads: Int, maximumRows: Int, maximumInputs: Int) {
        self.kernels = kernels
        self.threads = threads
        self.maximumRows = maximumRows
        self.maximumInputs = maximumInputs
        table = kernels.pointer.pointee
        pool = WorkerPool(threads: threads)
        codeCapacity = maximumRows * (roundedUp(maximumInputs, to: 64) + 64)
        codes = .allocate(capacity: codeCapacity)
        scales = .allocate(capacity: maximumRows * (maximumInputs / 32 + 1))
        sums = .allocate(capacity: maximumRows * (maximumInputs / 16 + 2))
    }

    /// Bytes that one takes, for planning memory before it is made.
    public static func bytes(maximumRows: Int, maximumInputs: Int) -> Int {
        maximumRows
            * (roundedUp(maximumInputs, to: 64) + 64 + 4 * (maximumInputs / 32 + 1) + 4 * (maximumInputs / 16 + 2))
    }

    deinit {
        codes.deallocate()
        scales.deallocate()
        sums.deallocate()
    }

    /// Runs an operation whose whole takes roughly `nanoseconds` on one thread.
    @inline(__always)
    func run<Arguments>(
        _ operation: apus_operation, _ arguments: inout Arguments, items: Int, nanoseconds: Int
    ) {
        // A region costs about a microsecond to open and close: worth it from several microseconds of work on.
        // Four parts a thread even out cores of unequal speed.
        let parts = nanoseconds < 8_000 ? 1 : threads * 4
        let grain = max(1, (items + parts - 1) / parts)
        withUnsafePointer(to: &arguments) { pool.run(operation, $0, items: items, grain: grain) }
    }

    /// Declares rows as the input of one or more products. Until the next call for other rows, and while the rows
    /// are unchanged, products share what they prepare from them.
    public func input(_ rows: Rows) -> ProductInput {
        serial += 1
        return ProductInput(rows: rows, serial: serial)
    }

    /// out = input · weightᵀ, [rows, outputs]; `out` is written to whole panels of 32 columns within its stride.
    public func product(_ input: ProductInput, _ weight: Weight, into out: Rows) {
        let x = input.rows
        precondition(x.width == weight.inputs && out.width == weight.outputs && out.count == x.count)
        precondition(x.count <= maximumRows && x.width <= maximumInputs)
        precondition(roundedUp(weight.outputs, to: Int(APUS_PANEL)) <= out.stride)
        if x.count == 0 { return }
        let codeStride = roundedUp(x.width, to: 64) + 64
        if weight.type.isQuantized, quantizedSerial != input.serial {
            var arguments = apus_quantize_arguments(
                x: x.base, stride: Int64(x.stride), inputs: Int64(x.width), codes: codes,
                code_stride: Int64(codeStride), scales: scales, sums: sums)
            run(table.quantize, &arguments, items: x.count, nanoseconds: x.count * x.width / 2)
            quantizedSerial = input.serial
        }
        var arguments = apus_product_arguments(
            weight: weight.cWeight, rows: Int64(x.count), x: x.base, stride: Int64(x.stride), codes: codes,
            code_stride: Int64(codeStride), scales: scales, sums: sums, out: out.base, out_stride: Int64(out.stride))
        let panels = (weight.outputs + Int(APUS_PANEL) - 1) / Int(APUS_PANEL)
        let time = weight.bytes / 8 + x.count * weight.inputs * weight.outputs / 64
        run(table.product, &arguments, items: panels, nanoseconds: time)
    }

    /// Rows of an embedding, one for each token of the batch, times a factor.
    public func gather(_ weight: Weight, batch: BatchRows, factor: Float = 1, into out: Rows) {
        precondition(out.count == batch.count && out.width == weight.inputs)
        for token in batch.tokenIDs { precondition(token >= 0 && Int(token) < weight.outputs) }
        var arguments = apus_gather_arguments(
            weight: weight.cWeight, ids: batch.tokens, factor: factor, out: out.base, out_stride: Int64(out.stride))
        run(table.gather, &arguments, items: batch.count, nanoseconds: batch.count * out.width)
    }

    /// Rows of a table of positions (learned positions), one for each row of the batch.
    public func gatherPositions(_ weight: Weight, batch: BatchRows, into out: Rows) {
        precondition(out.count == batch.count && out.width == weight.inputs)
        for row in 0..<batch.count { precondition(Int(batch.positions[row]) < weight.outputs) }
        var arguments = apus_gather_arguments(
            weight: weight.cWeight, ids: batch.positions, factor: 1, out: out.base, out_stride: Int64(out.stride))
        run(table.gather, &arguments, items: batch.count, nanoseconds: batch.count * out.width)
    }
}

/// The rows that products multiply; made by ``Ops/input(_:)``.
public struct ProductInput {
    let rows: Rows
    let serial: Int
}
