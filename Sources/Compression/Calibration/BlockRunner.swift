internal import Checkpoints
internal import Models
internal import Tensors

/// Runs calibration rows through a model one block at a time: in memory are the rows' hidden states and one block's weights.
///
/// Blocks are run with the weights of an overlay, so that later ones see what earlier ones have become.
final class BlockRunner {
    let shape: ModelShape
    private let checkpoint: Checkpoint
    private let threads: Int
    private let rows: [[Int32]]
    private let length: Int
    /// [tokens, width]: what the next block reads.
    private let hidden: Matrix
    private let scratch: Scratch
    private let batch: Batch
    private let cache: OneLayerCache
    private let pages: [PageList]
    private let variant: Int
    private let ends: any Model
    private let onStep: () throws -> Void

    /// Runs the embedding.
    ///
    /// - Parameters:
    ///   - rows: of one length.
    ///   - overlay: what stands in for the embedding's weights.
    ///   - onStep: is called between pieces of work; what it throws ends the work.
    init(
        _ checkpoint: Checkpoint, rows: [[Int32]], overlay: WeightOverlay, threads: Int, kernels: KernelTable,
        onStep: @escaping () throws -> Void
    ) throws {
        self.checkpoint = checkpoint
        self.threads = threads
        self.rows = rows
        self.onStep = onStep
        length = rows[0].count
        ends = try Catalog.load(checkpoint, part: .ends, overlay: overlay, threads: threads)
        shape = ends.shape
        for token in rows.joined() where token < 0 || Int(token) >= shape.vocabulary {
            throw CompressionError(
                "the calibration text has token \(token), and the model's embedding has \(shape.vocabulary) rows: "
                    + "tokenizer and weights do not belong together")
        }
        variant = ends.rotationVariant(length: length)
        let together = max(1, min(rows.count, 1024 / length))
        hidden = Matrix(rows: rows.count * length, columns: shape.width)
        scratch = Scratch(
            model: ends, kernels: kernels, threads: threads, maximumRows: together * length,
            maximumOutputs: min(64, together * length))
        batch = Batch(capacity: together * length)
        let pageSize = 64
        let each = (length + pageSize - 1) / pageSize
        guard let storage = OneLayerCache(shape.cache, pageSize: pageSize, pageCount: each * together) else {
            throw CompressionError("there is no memory for the keys and values of \(together * length) tokens")
        }
        cache = storage
        pages = (0..<together).map { index in
            let list = PageList(capacity: each)
            for page in 0..<each { list.append(Int32(index * each + page)) }
            return list
        }
        try forEachChunk { first, count in
            fill(first, count)
            ends.embed(batch, scratch)
            let states = scratch.hidden.rows(count * length)
            for row in 0..<count * length {
                _ = hidden.row(first * length + row).update(fromContentsOf: states.elements(of: row))
            }
        }
    }

    /// Tells `body` the rows that some inputs of a block get, in order, all rows of the text.
    ///
    /// - Parameter overlay: what stands in for the block's weights up to the last of those inputs.
    func listen(
        block: Int, _ inputs: [ProjectionInput], overlay: WeightOverlay, _ body: @escaping (ProjectionInput, Rows) -> Void
    ) throws {
        guard let last = ProjectionInput.allCases.last(where: inputs.contains) else { return }
        let model = try Catalog.load(checkpoint, part: .block(block), overlay: overlay, threads: threads)
        scratch.tap = { _, heard, rows in
            if inputs.contains(heard) { body(heard, rows) }
            return heard != last
        }
        defer { scratch.tap = nil }
        try run(model, block, keeping: false)
    }

    /// Runs a block, whose outputs become the hidden states.
    ///
    /// - Parameter body: is told the rows of every input on the way; nil for nobody.
    func advance(
        block: Int, overlay: WeightOverlay, _ body: ((ProjectionInput, Rows) -> Void)? = nil
    ) throws {
        let model = try Catalog.load(checkpoint, part: .block(block), overlay: overlay, threads: threads)
        if let body {
            scratch.tap = { _, input, rows in
                body(input, rows)
                return true
            }
        }
        defer { scratch.tap = nil }
        try run(model, block, keeping: true)
    }

    /// Tells `body` the normed states that the projection to scores gets, a few rows at a time.
    ///
    /// - Parameter overlay: what stands in for the last norm's weight.
    func listenToHead(overlay: WeightOverlay, _ body: (Rows) -> Void) throws {
        let model = try Catalog.load(checkpoint, part: .ends, overlay: overlay, threads: threads)
        for first in stride(from: 0, to: hidden.rows, by: scratch.maximumOutputs) {
            try onStep()
            let count = min(scratch.maximumOutputs, hidden.rows - first)
            batch.removeAll()
            for row in 0..<count {
                batch.rows.append(token: 0, position: 0, slot: 0, visible: 1, variant: variant, pages: pages[0])
                batch.wantScores()
                _ = scratch.hidden.rows(count).elements(of: row).update(fromContentsOf: hidden.row(first + row))
            }
            body(model.finalStates(batch, scratch))
        }
    }

    private func run(_ model: any Model, _ block: Int, keeping: Bool) throws {
        try forEachChunk { first, count in
            fill(first, count)
            // The rows' angles; the embedding itself is not used again.
            model.embed(batch, scratch)
            let states = scratch.hidden.rows(count * length)
            for row in 0..<count * length {
                _ = states.elements(of: row).update(fromContentsOf: hidden.row(first * length + row))
            }
            model.block(block, batch, cache, scratch)
            if !keeping { return }
            for row in 0..<count * length {
                _ = hidden.row(first * length + row).update(fromContentsOf: states.elements(of: row))
            }
        }
    }

    private func forEachChunk(_ body: (_ first: Int, _ count: Int) throws -> Void) throws {
        for first in stride(from: 0, to: rows.count, by: pages.count) {
            try onStep()
            try body(first, min(pages.count, rows.count - first))
        }
    }

    private func fill(_ first: Int, _ count: Int) {
        batch.removeAll()
        for index in 0..<count {
            for (position, token) in rows[first + index].enumerated() {
                batch.rows.append(
                    token: token, position: position, slot: position, visible: position + 1, variant: variant,
                    pages: pages[index])
            }
        }
    }
}

/// Keys and values of one layer at a time: whichever layer asks uses the same memory.
private final class OneLayerCache: PagedCache {
    private let storage: CacheStorage

    /// Nil where the system refuses that much memory, or layers keep different shapes.
    init?(_ layers: [CacheLayerShape], pageSize: Int, pageCount: Int) {
        guard let shape = layers.first, layers.allSatisfy({ $0 == shape }),
            let storage = CacheStorage(layers: [shape], pageSize: pageSize, pageCount: pageCount, type: .f32)
        else { return nil }
        self.storage = storage
    }

    var pageSize: Int { storage.pageSize }
    var pageCount: Int { storage.pageCount }
    var pageBytes: Int { storage.pageBytes }

    func store(keys: Rows, values: Rows, batch: BatchRows, layer: Int, _ ops: Ops) {
        storage.store(keys: keys, values: values, batch: batch, layer: 0, ops)
    }

    func attend(
        _ queries: Rows, batch: BatchRows, layer: Int, window: Int?, scale: Float, softCap: Float, into out: Rows,
        _ ops: Ops
    ) {
        storage.attend(
            queries, batch: batch, layer: 0, window: window, scale: scale, softCap: softCap, into: out, ops)
    }

    func copyPage(_ source: Int, to target: Int) { storage.copyPage(source, to: target) }
    func discard(_ page: Int) { storage.discard(page) }
    func pageContents(_ page: Int) -> UnsafeMutableRawBufferPointer { storage.pageContents(page) }
}
