public import Tensors

/// A network that turns a batch of rows into scores.
///
/// A model is immutable: everything a run changes lives in the batch, the cache and the scratch. It is the composition
/// of `embed`, its blocks and `head`, so that a caller can also run the parts alone.
public protocol Model: AnyObject, Sendable {
    var shape: ModelShape { get }

    /// Token ids to the first hidden state, `scratch.hidden`.
    func embed(_ batch: Batch, _ scratch: Scratch)

    /// One block on `scratch.hidden`, in place; reads and writes the cache's layer of the same index.
    func block(_ index: Int, _ batch: Batch, _ cache: any PagedCache, _ scratch: Scratch)

    /// Hidden states after the last norm of the rows in `batch.outputs`, then of those in `batch.states`:
    /// [outputs + states, width], valid until the next pass.
    func finalStates(_ batch: Batch, _ scratch: Scratch) -> Rows

    /// Hidden states of the rows in `batch.outputs` to `scratch.scores`; those of `batch.states` are left as
    /// ``finalStates(_:_:)`` has them.
    func head(_ batch: Batch, _ scratch: Scratch)

    /// Which of the model's rotation variants a sequence of at most this many tokens uses, for all its life.
    func rotationVariant(length: Int) -> Int
}

extension Model {
    /// Scores of the rows in `batch.outputs`, [outputs, vocabulary], valid until the next pass.
    ///
    /// - Complexity: rows × parameters, plus rows × slots read in attention.
    public func forward(_ batch: Batch, _ cache: any PagedCache, _ scratch: Scratch) -> Rows {
        embed(batch, scratch)
        for index in 0..<shape.layers { block(index, batch, cache, scratch) }
        head(batch, scratch)
        return scratch.scores.rows(batch.outputs.count)
    }

    /// Final hidden states of the rows in `batch.outputs` and `batch.states`, [outputs + states, width], valid until the next
    /// pass: ``forward(_:_:_:)`` without the projection to scores.
    public func states(_ batch: Batch, _ cache: any PagedCache, _ scratch: Scratch) -> Rows {
        embed(batch, scratch)
        for index in 0..<shape.layers { block(index, batch, cache, scratch) }
        return finalStates(batch, scratch)
    }

    public func rotationVariant(length: Int) -> Int { 0 }
}

/// The sizes that the engine plans with.
public struct ModelShape: Sendable {
    /// The architecture's name in the catalog: `llama`, `qwen3`.
    public var architecture: String
    public var layers: Int
    /// Width of the hidden state.
    public var width: Int
    public var vocabulary: Int
    /// Positions that the model was made for.
    public var context: Int
    /// Query heads and the width of one head.
    public var heads: Int
    public var headWidth: Int
    /// The widest inner row of the feed-forward part.
    public var feedForward: Int
    /// What each layer keeps of a position.
    public var cache: [CacheLayerShape]
    /// Attention windows by layer; nil where a layer sees everything.
    public var windows: [Int?]
    /// Sizes (half the rotated width) of the rotations that the scratch must hold.
    public var rotations: [Int]
    /// Parameters of the network as its file counts them.
    public var parameters: Int
    /// Bytes of weights in the file's formats.
    public var weightBytes: Int

    /// The longest row that any weight multiplies.
    public var maximumInputs: Int { max(width, feedForward, heads * headWidth) }
}

/// The rows of one step, those whose scores are wanted, and those whose hidden states are.
public final class Batch {
    public let rows: BatchRows
    /// Indices of the rows whose scores are computed, ascending.
    public private(set) var outputs: [Int32] = []
    /// Indices of the rows whose final hidden states alone are wanted, ascending; none of them is an output.
    public private(set) var states: [Int32] = []
    /// `outputs`, then `states`.
    private var picks: [Int32] = []

    public init(capacity: Int) {
        rows = BatchRows(capacity: capacity)
        outputs.reserveCapacity(capacity)
        states.reserveCapacity(capacity)
        picks.reserveCapacity(capacity)
    }

    public func removeAll() {
        rows.removeAll()
        outputs.removeAll(keepingCapacity: true)
        states.removeAll(keepingCapacity: true)
    }

    /// Asks for the final hidden state of the row added last, and not for its scores. Returns its place among the states.
    @discardableResult
    public func wantState() -> Int {
        states.append(Int32(rows.count - 1))
        return states.count - 1
    }

    /// Indices of all rows whose final states are needed: those of the outputs first.
    func withPicks<Result>(_ body: (UnsafeBufferPointer<Int32>) -> Result) -> Result {
        picks.removeAll(keepingCapacity: true)
        picks.append(contentsOf: outputs)
        picks.append(contentsOf: states)
        return picks.withUnsafeBufferPointer(body)
    }

    /// Asks for the scores of the row added last. Returns their place among the outputs.
    @discardableResult
    public func wantScores() -> Int {
        outputs.append(Int32(rows.count - 1))
        return outputs.count - 1
    }
}

/// The memory that a pass works in, allocated once for the largest batch.
public final class Scratch {
    public let ops: Ops
    public let maximumRows: Int
    public let maximumOutputs: Int
    /// Is told the inputs of projections; nil to listen to none.
    public var tap: ProjectionTap?
    /// [rows, width]: the residual stream.
    public let hidden: Buffer
    /// [rows, width]: a norm's output, and a projection on its way back to the residual stream.
    let normed: Buffer
    let projected: Buffer
    /// [rows, query heads × head width]
    let queries: Buffer
    let attended: Buffer
    /// [rows, cache heads × width], the widest layer.
    let keys: Buffer
    let values: Buffer
    /// [rows, feed-forward]
    let gate: Buffer
    let up: Buffer
    /// [rows, half the rotated width], one pair for each rotation of the model.
    let rotations: [RotationTable]
    /// [rows, width]: final states of the outputs and of those that are wanted for themselves; [outputs, vocabulary].
    let picked: Buffer
    public let scores: Buffer

    /// - Parameters:
    ///   - model: whose passes it serves.
    ///   - kernels: the table that computes.
    ///   - threads: how many threads an operation may use, at least 1.
    ///   - maximumRows: the most rows of a batch.
    ///   - maximumOutputs: the most rows whose scores a batch asks for.
    public init(model: any Model, kernels: KernelTable, threads: Int, maximumRows: Int, maximumOutputs: Int) {
        let shape = model.shape
        self.maximumRows = maximumRows
        self.maximumOutputs = maximumOutputs
        ops = Ops(
            kernels: kernels, threads: threads, maximumRows: max(maximumRows, maximumOutputs),
            maximumInputs: shape.maximumInputs)
        hidden = Buffer(capacity: maximumRows, width: shape.width)
        normed = Buffer(capacity: maximumRows, width: shape.width)
        projected = Buffer(capacity: maximumRows, width: shape.width)
        queries = Buffer(capacity: maximumRows, width: shape.heads * shape.headWidth)
        attended = Buffer(capacity: maximumRows, width: shape.heads * shape.headWidth)
        keys = Buffer(capacity: maximumRows, width: shape.cache.map { $0.heads * $0.keyWidth }.max() ?? 1)
        values = Buffer(capacity: maximumRows, width: shape.cache.map { $0.heads * $0.valueWidth }.max() ?? 1)
        gate = Buffer(capacity: maximumRows, width: shape.feedForward)
        up = Buffer(capacity: maximumRows, width: shape.feedForward)
        rotations = shape.rotations.map { RotationTable(capacity: maximumRows, half: $0) }
        picked = Buffer(capacity: max(maximumRows, maximumOutputs), width: shape.width)
        scores = Buffer(capacity: maximumOutputs, width: shape.vocabulary)
    }

    /// The final hidden state, [width], of a row in `batch.states` after a pass over that batch; valid until the next.
    ///
    /// - Parameter index: its place in `batch.states`.
    public func state(_ index: Int, of batch: Batch) -> UnsafeBufferPointer<Float> {
        UnsafeBufferPointer(
            picked.rows(batch.outputs.count + batch.states.count).elements(of: batch.outputs.count + index))
    }

    /// Tells the tap; whether the block goes on.
    @inline(__always)
    func goesOn(_ layer: Int, _ input: ProjectionInput, _ rows: Rows) -> Bool {
        guard let tap else { return true }
        return tap(layer, input, rows)
    }

    /// Bytes that a scratch of this size takes, for planning memory before it is allocated.
    public static func bytes(_ shape: ModelShape, maximumRows: Int, maximumOutputs: Int) -> Int {
        let keys = shape.cache.map { $0.heads * ($0.keyWidth + $0.valueWidth) }.max() ?? 0
        let row =
            3 * shape.width + 2 * shape.heads * shape.headWidth + keys + 2 * shape.feedForward
            + 2 * shape.rotations.reduce(0, +)
        let picked = max(maximumRows, maximumOutputs) * shape.width
        return 4 * (maximumRows * row + picked + maximumOutputs * shape.vocabulary)
            + Ops.bytes(maximumRows: max(maximumRows, maximumOutputs), maximumInputs: shape.maximumInputs)
    }
}

/// cos and sin of the batch's rows for one rotation, computed once a step and shared by all layers.
final class RotationTable {
    let cosines: Buffer
    let sines: Buffer

    init(capacity: Int, half: Int) {
        cosines = Buffer(capacity: capacity, width: half)
        sines = Buffer(capacity: capacity, width: half)
    }
}
