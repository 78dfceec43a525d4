internal import CKernels

#if canImport(Glibc)
    internal import Glibc
#endif

/// What a gate's outputs go through before they meet the other product.
public enum GateActivation: Sendable { case silu, gelu }

/// Everything a model can do with rows: whole operations over a batch, shared out over threads below this line.
///
/// One object per engine, used by one thread. An operation on a small batch runs on the calling thread; how the work
/// is split never changes a bit of the result. No operation allocates.
public final class Ops {
    public let kernels: KernelTable
    public let threads: Int
    let table: apus_kernels
    private let pool: WorkerPool

    // What products read of the last input: quantized or tiled, and for which class of formats it was prepared.
    private let activations: UnsafeMutablePointer<UInt8>
    /// Spans of attention on their way to being merged.
    let partials: UnsafeMutablePointer<Float>
    /// [rows, ``Correction/largestRank``]: what lies between the two thin matrices of a correction.
    let thinRows: UnsafeMutablePointer<Float>
    static let partialCapacity = 1 << 19
    /// The widest value of a head, in floats, that the scratch of attention holds.
    static let widestValue = 1024
    /// Rows that a thread takes through a product by itself, if there are so many for each: what one core has just written need
    /// not come from another, and reading all weights costs little beside so many rows.
    private static let bandRows = 64
    private let maximumRows: Int
    private let maximumInputs: Int
    /// Half a core's second-level cache, for the activations that a product goes over again and again; panels and outputs
    /// take the rest.
    private let cachedBytes: Int64
    private var tiledSerial = 0
    private var tiledAsCodes = false
    private var tiledOrder: UnsafePointer<Int32>?
    private var preparation: Int32 = 0
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
        let cache = Int64(sysconf(Int32(_SC_LEVEL2_CACHE_SIZE)))
        cachedBytes = cache > 0 ? cache / 2 : 512 << 10
        activations = allocateAligned(bytes: maximumRows * roundedUp(maximumInputs, to: 256) * 4)
            .assumingMemoryBound(to: UInt8.self)
        partials = allocateAligned(bytes: Self.partialCapacity * 4).assumingMemoryBound(to: Float.self)
        thinRows = allocateAligned(bytes: maximumRows * Correction.largestRank * 4).assumingMemoryBound(to: Float.self)
    }

    /// Bytes that one takes, for planning memory before it is made.
    public static func bytes(maximumRows: Int, maximumInputs: Int) -> Int {
        maximumRows * (roundedUp(maximumInputs, to: 256) + Correction.largestRank) * 4 + partialCapacity * 4
    }

    deinit {
        free(activations)
        free(partials)
        free(thinRows)
    }

    /// Runs an operation whose whole takes roughly `nanoseconds` on one thread.
    @inline(__always)
    func run<Arguments>(
        _ operation: apus_operation, _ arguments: inout Arguments, items: Int, nanoseconds: Int
    ) {
        // A region costs about a microsecond to open and close: worth it from several microseconds of work on.
        // Small parts at the end even out cores of unequal speed; each costs some hundred nanoseconds.
        let isLong = nanoseconds > 200_000
        let parts = nanoseconds < 8_000 ? 1 : threads * (isLong ? 16 : 4)
        let grain = max(1, (items + parts - 1) / parts)
        withUnsafePointer(to: &arguments) {
            pool.run(operation, $0, items: items, grain: grain, tapers: true, isLong: isLong)
        }
    }

    /// Declares rows as the input of one or more products. Until the next call for other rows, and while the rows
    /// are unchanged, products share what they prepare from them.
    public func input(_ rows: Rows) -> ProductInput {
        serial += 1
        return ProductInput(rows: rows, serial: serial)
    }

    /// out = input · weightᵀ, [rows, outputs]; `out` is written to whole panels of 32 columns within its stride.
    public func product(_ input: ProductInput, _ weight: PackedWeight, into out: Rows) {
        var arguments = apus_product_arguments()
        check(input, weight, out)
        arguments.parts.0 = weight.part(into: out)
        arguments.part_count = 1
        product(input, &arguments, panels: weight.panels, weight: weight, elements: weight.outputs)
    }

    /// Two products of one input at once: one region of threads instead of two.
    public func products(_ input: ProductInput, _ first: (PackedWeight, Rows), _ second: (PackedWeight, Rows)) {
        guard first.0.sharesInput(with: second.0) else {
            product(input, first.0, into: first.1)
            product(input, second.0, into: second.1)
            return
        }
        check(input, first.0, first.1)
        check(input, second.0, second.1)
        var arguments = apus_product_arguments()
        arguments.parts.0 = first.0.part(into: first.1)
        arguments.parts.1 = second.0.part(into: second.1)
        arguments.part_count = 2
        product(
            input, &arguments, panels: first.0.panels + second.0.panels, weight: first.0,
            elements: first.0.outputs + second.0.outputs)
    }

    /// gate = activation(input · gateᵀ) × (input · upᵀ), in one region and without a place for the second product, unless the
    /// two weights read their input in different ways; `up.1` is written to then.
    public func gatedProducts(
        _ input: ProductInput, gate: (PackedWeight, Rows), up: (PackedWeight, Rows), _ activation: GateActivation
    ) {
        guard gate.0.preparation == up.0.preparation else {
            products(input, gate, up)
            switch activation {
            case .silu: gatedSiLU(gate.1, up.1)
            case .gelu: gatedGELU(gate.1, up.1)
            }
            return
        }
        check(input, gate.0, gate.1)
        check(input, up.0, gate.1)
        var arguments = apus_product_arguments()
        arguments.parts.0 = gate.0.part(into: gate.1)
        arguments.parts.1 = up.0.part(into: gate.1)
        arguments.part_count = 2
        arguments.gate = Int32(activation == .silu ? APUS_GATE_SILU : APUS_GATE_GELU)
        product(input, &arguments, panels: gate.0.panels, weight: gate.0, elements: 2 * gate.0.outputs)
    }

    /// Three products of one input at once.
    public func products(
        _ input: ProductInput, _ first: (PackedWeight, Rows), _ second: (PackedWeight, Rows),
        _ third: (PackedWeight, Rows)
    ) {
        guard first.0.sharesInput(with: second.0), second.0.sharesInput(with: third.0) else {
            products(input, first, second)
            product(input, third.0, into: third.1)
            return
        }
        check(input, first.0, first.1)
        check(input, second.0, second.1)
        check(input, third.0, third.1)
        var arguments = apus_product_arguments()
        arguments.parts.0 = first.0.part(into: first.1)
        arguments.parts.1 = second.0.part(into: second.1)
        arguments.parts.2 = third.0.part(into: third.1)
        arguments.part_count = 3
        product(
            input, &arguments, panels: first.0.panels + second.0.panels + third.0.panels, weight: first.0,
            elements: first.0.outputs + second.0.outputs + third.0.outputs)
    }

    private func check(_ input: ProductInput, _ weight: PackedWeight, _ out: Rows) {
        let x = input.rows
        precondition(x.width == weight.inputs && out.width == weight.outputs && out.count == x.count)
        precondition(x.count <= maximumRows && x.width <= maximumInputs)
        precondition(roundedUp(weight.outputs, to: Int(APUS_PANEL)) <= out.stride)
    }

    private func product(
        _ input: ProductInput, _ arguments: inout apus_product_arguments, panels: Int, weight: PackedWeight,
        elements: Int
    ) {
        let x = input.rows
        if x.count == 0 { return }
        arguments.rows = Int64(x.count)
        arguments.activations = UnsafePointer(tiled(input, for: weight))
        arguments.cached_bytes = cachedBytes
        let bands = min(threads, x.count / Self.bandRows)
        arguments.bands = Int64(bands)
        // Reading the weights at 10 GB/s, or 150 products a nanosecond, whichever is slower.
        let bytes = weight.bytes / max(weight.outputs, 1) * elements
        run(
            table.product, &arguments, items: panels * max(bands, 1),
            nanoseconds: max(bytes / 10, x.count * weight.inputs * elements / 150))
    }

    /// The input as products with such a weight read it; made once for all products of an input.
    private func tiled(_ input: ProductInput, for weight: PackedWeight) -> UnsafeMutablePointer<UInt8> {
        let x = input.rows
        let codes = weight.type.isQuantized
        // A single row of floats is a tile as it stands.
        if !codes, x.count == 1, weight.order == nil { return UnsafeMutableRawPointer(x.base).assumingMemoryBound(to: UInt8.self) }
        let items = Int(table.activation_items(Int64(x.count), Int64(x.width)))
        if tiledSerial != input.serial || tiledAsCodes != codes || tiledOrder != weight.order {
            var arguments = apus_quantize_arguments(
                x: x.base, stride: Int64(x.stride), rows: Int64(x.count), inputs: Int64(x.width),
                activations: activations, order: weight.order)
            run(codes ? table.quantize : table.tile_floats, &arguments, items: items, nanoseconds: x.count * x.width)
            (tiledSerial, tiledAsCodes, tiledOrder, preparation) = (input.serial, codes, weight.order, 0)
        }
        if codes, preparation != weight.preparation {
            var arguments = apus_prepare_arguments(
                rows: Int64(x.count), inputs: Int64(x.width), type: Int32(weight.type.rawValue),
                activations: activations)
            run(table.prepare, &arguments, items: items, nanoseconds: x.count * x.width / 8)
            preparation = weight.preparation
        }
        return activations
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
