public import Checkpoints
public import Models
public import Tensors

/// Where the time of a step goes: every operation run by itself on the sizes of the model, its own weights for the products.
///
/// Nothing is timed inside the engine, so the path of a token is what it always is; what the parts do not explain is shown
/// as the rest.
public struct StepProfile: Sendable {
    public struct Part: Sendable {
        public var name: String
        /// Times in a step.
        public var count: Int
        /// Seconds in a step, over all times.
        public var seconds: Double
    }

    public var rows: Int
    /// Slots that the last row sees.
    public var context: Int
    public var parts: [Part]
    /// Seconds of a whole step of the engine.
    public var step: Double
    /// What the parts do not explain: scheduling, opening regions of threads, caches colder than here.
    public var rest: Double { step - parts.reduce(0) { $0 + $1.seconds } }
}

/// Runs the operations of a model's step one kind at a time.
public final class StepProfiler {
    private let work: ModelWork
    private let shape: ModelShape
    private let kernels: KernelTable
    private let threads: Int
    private let cacheType: CacheType
    /// The checkpoint's matrices by shape, all of them, so that products find them as cold as a step does.
    private var weights: [(product: ModelWork.Product, weights: [PackedWeight])] = []
    private let panels: PanelStorage
    private let checkpoint: Checkpoint

    public init(
        _ checkpoint: Checkpoint, work: ModelWork, shape: ModelShape, kernels: KernelTable, threads: Int,
        cacheType: CacheType
    ) throws {
        self.checkpoint = checkpoint
        self.work = work
        self.shape = shape
        self.kernels = kernels
        self.threads = threads
        self.cacheType = cacheType
        panels = PanelStorage(threads: threads)
        for product in work.blocks {
            let alike = try work.blockNames.map(matrix).filter {
                $0.outputs == product.outputs && $0.inputs == product.inputs && $0.type == product.type
            }
            weights.append((product, alike.map { panels.pack($0) }))
        }
        weights.append((work.head, [panels.pack(try matrix(work.headName))]))
    }

    private func matrix(_ name: String) throws(CheckpointError) -> Weight {
        let tensor = try checkpoint.require(name)
        return Weight(type: tensor.type, outputs: tensor.shape[0], inputs: tensor.shape[1], bytes: tensor.bytes)
    }

    /// Seconds of all matrix products of a step, by shape.
    ///
    /// - Parameters:
    ///   - rows: rows of the step, at least 1.
    ///   - outputs: rows whose scores are wanted.
    public func products(rows: Int, outputs: Int) -> [StepProfile.Part] {
        let ops = Ops(
            kernels: kernels, threads: threads, maximumRows: max(rows, outputs), maximumInputs: shape.maximumInputs)
        return weights.enumerated().compactMap { index, entry in
            let isHead = index == weights.count - 1
            let count = isHead ? outputs : rows
            guard count > 0 else { return nil }
            let x = RandomRows(count, width: entry.product.inputs)
            let out = RandomRows(count, width: entry.product.outputs)
            let seconds = measureRepeatedly(budget: 0.1) {
                for weight in entry.weights { ops.product(ops.input(x.all), weight, into: out.all) }
            }
            let name =
                (isHead ? "head " : "product ")
                + "\(entry.product.outputs)×\(entry.product.inputs) \(entry.product.type.name)"
            return StepProfile.Part(name: name, count: entry.weights.count, seconds: seconds.median)
        }
    }

    /// All parts of a step.
    ///
    /// - Parameters:
    ///   - rows: rows of the step: one of each sequence for decode, `sequences` 1 for a prompt.
    ///   - sequences: that the rows belong to, in equal parts.
    ///   - context: slots that the last row of each sees.
    ///   - step: seconds of the engine's step.
    public func profile(rows: Int, sequences: Int, context: Int, step: Double) -> StepProfile {
        var parts = products(rows: rows, outputs: sequences)
        parts += elementwise(rows: rows, sequences: sequences)
        parts.append(attention(rows: rows, sequences: sequences, context: context))
        let chooser = TokenChooser(vocabulary: shape.vocabulary, temperature: 0)
        let seconds = measureRepeatedly(budget: 0.05) { chooser.choose() }.median
        parts.append(
            StepProfile.Part(name: "choice of a token", count: sequences, seconds: seconds * Double(sequences)))
        return StepProfile(rows: rows, context: context, parts: parts, step: step)
    }

    private func elementwise(rows: Int, sequences: Int) -> [StepProfile.Part] {
        let ops = Ops(kernels: kernels, threads: threads, maximumRows: rows, maximumInputs: shape.maximumInputs)
        let arena = VectorArena()
        let (queryWidth, half) = (shape.heads * shape.headWidth, max(shape.rotations.first ?? 0, 1))
        let keyWidth = shape.cache.map { $0.heads * $0.keyWidth }.max() ?? 1
        let (hidden, other) = (RandomRows(rows, width: shape.width), RandomRows(rows, width: shape.width))
        let (queries, keys) = (RandomRows(rows, width: queryWidth), RandomRows(rows, width: keyWidth))
        let (gate, up) = (RandomRows(rows, width: shape.feedForward), RandomRows(rows, width: shape.feedForward))
        let (cosines, sines) = (RandomRows(rows, width: half), RandomRows(rows, width: half))
        let weight = arena.store(Array(repeating: 1, count: shape.width))
        // What a gate or a rotation does again and again to its own results ends in numbers too small for the processor's fast way.
        func part(_ name: String, _ count: Int, again rows: [RandomRows] = [], _ body: () -> Void) -> StepProfile.Part {
            let seconds = measureRepeatedly(budget: 0.03, preparing: { for one in rows { one.fill() } }, body).median
            return StepProfile.Part(name: name, count: count, seconds: seconds * Double(count))
        }
        var parts = [
            part("norm", 2 * shape.layers + 1) {
                ops.rmsNorm(hidden.all, weight: weight, epsilon: 1e-5, into: other.all)
            },
            part("gate, as a pass of its own", shape.layers, again: [gate]) { ops.gatedSiLU(gate.all, up.all) },
            part("residual", 2 * shape.layers) { ops.add(hidden.all, other.all) },
        ]
        if !shape.rotations.isEmpty {
            parts.append(
                part("rotation of queries and keys", shape.layers, again: [queries, keys]) {
                    for buffer in [queries, keys] {
                        ops.rotate(
                            buffer.all, headWidth: shape.headWidth, cosines: cosines.all,
                            sines: sines.all, pairing: .halves)
                    }
                })
        }
        return parts
    }

    private func attention(rows: Int, sequences: Int, context: Int) -> StepProfile.Part {
        let pageSize = 64
        let pages = (context + pageSize - 1) / pageSize
        let own = rows / sequences
        let width = shape.heads * shape.headWidth
        let ops = Ops(kernels: kernels, threads: threads, maximumRows: rows, maximumInputs: shape.maximumInputs)
        guard
            let cache = CacheStorage(
                layers: shape.cache, pageSize: pageSize, pageCount: pages * sequences, type: cacheType)
        else { preconditionFailure("the engine had the same cache a moment ago") }
        let batch = BatchRows(capacity: rows)
        let lists = (0..<sequences).map { sequence in
            let list = PageList(capacity: pages)
            for page in 0..<pages { list.append(Int32(sequence * pages + page)) }
            return list
        }
        for list in lists {
            for slot in max(0, context - own)..<context {
                batch.append(token: 0, position: slot, slot: slot, visible: slot + 1, variant: 0, pages: list)
            }
        }
        for page in 0..<pages * sequences { fillPage(cache, page) }
        let (queries, out) = (RandomRows(rows, width: width), RandomRows(rows, width: width))
        let keys = RandomRows(rows, width: shape.cache.map { $0.heads * $0.keyWidth }.max() ?? 1)
        let values = RandomRows(rows, width: shape.cache.map { $0.heads * $0.valueWidth }.max() ?? 1)
        let count = batch.count
        // The batch points into the lists.
        let seconds = withExtendedLifetime(lists) {
            measureRepeatedly(budget: 0.1) {
                for (layer, kept) in shape.cache.enumerated() {
                    ops.store(
                        keys: keys.first(count).columns(0, width: kept.heads * kept.keyWidth),
                        values: values.first(count).columns(0, width: kept.heads * kept.valueWidth), batch: batch,
                        cache: cache, layer: layer)
                    ops.attention(
                        queries.first(count), batch: batch, cache: cache, layer: layer, window: shape.windows[layer],
                        scale: 0.1, into: out.all)
                }
            }
        }
        return StepProfile.Part(name: "attention with its cache", count: shape.layers, seconds: seconds.median)
    }
}
