internal import Checkpoints
internal import Tensors

/// One block of a decoder: attention and feed-forward, each between a norm and the residual stream; Gemma also
/// normalises what comes back.
struct DecoderBlock: Sendable {
    var attentionNorm: Norm
    var attention: Attention
    var attentionOutNorm: Norm?
    var feedForwardNorm: Norm
    var feedForward: FeedForward
    var feedForwardOutNorm: Norm?
}

/// A decoder-only transformer. An architecture's file puts its parts together; this runs them.
final class Decoder: Model {
    let shape: ModelShape
    private let parts: Parts
    /// Keeps the mapped files and the vectors that the parts point into.
    private let source: ModelSource

    struct Parts: Sendable {
        var embedding: Weight
        /// On the embedding's rows.
        var embeddingFactor: Float = 1
        /// Learned positions, added to the embedding.
        var positions: Weight?
        var rotations: [Rotation]
        var blocks: [DecoderBlock]
        var outputNorm: Norm
        var output: Linear
        /// cap · tanh(score / cap) on the scores; 0 for none.
        var scoreCap: Float = 0
    }

    init(_ shape: ModelShape, _ parts: Parts, _ source: ModelSource) {
        self.shape = shape
        self.parts = parts
        self.source = source
    }

    /// A decoder whose ends are the usual ones: an embedding, its blocks, an RMSNorm, a projection that may be tied.
    convenience init(
        _ name: String, _ source: ModelSource, _ sizes: Hyperparameters, windows: [Int?], rotations: [Rotation],
        blocks: [DecoderBlock]
    ) throws(CheckpointError) {
        let embedding = try source.embedding(width: sizes.width)
        let parts = Parts(
            embedding: embedding, rotations: rotations, blocks: blocks,
            outputNorm: Norm(weight: try source.globalVector("output_norm", sizes.width), epsilon: sizes.epsilon),
            output: try source.output(tiedTo: embedding))
        let shape = sizes.shape(
            name, vocabulary: embedding.outputs, windows: windows, rotations: rotations, source: source)
        self.init(shape, parts, source)
    }

    func rotationVariant(length: Int) -> Int {
        parts.rotations.contains { $0.isLong(length) } ? 1 : 0
    }

    func embed(_ batch: Batch, _ scratch: Scratch) {
        let ops = scratch.ops
        let count = batch.rows.count
        let hidden = scratch.hidden.rows(count)
        ops.gather(parts.embedding, batch: batch.rows, factor: parts.embeddingFactor, into: hidden)
        if let positions = parts.positions {
            let learned = scratch.projected.rows(count)
            ops.gatherPositions(positions, batch: batch.rows, into: learned)
            ops.add(hidden, learned)
        }
        for (rotation, table) in zip(parts.rotations, scratch.rotations) {
            ops.angles(
                batch.rows, variants: rotation.variants, factor: rotation.factor, cosines: table.cosines.rows(count),
                sines: table.sines.rows(count))
        }
    }

    func block(_ index: Int, _ batch: Batch, _ cache: any PagedCache, _ scratch: Scratch) {
        let ops = scratch.ops
        let block = parts.blocks[index]
        let count = batch.rows.count
        let (hidden, normed) = (scratch.hidden.rows(count), scratch.normed.rows(count))
        let projected = scratch.projected.rows(count)
        block.attentionNorm(hidden, into: normed, ops)
        guard block.attention(layer: index, batch, cache, scratch) else { return }
        block.attentionOutNorm?(projected, into: projected, ops)
        ops.add(hidden, projected)
        block.feedForwardNorm(hidden, into: normed, ops)
        guard block.feedForward(layer: index, batch, scratch) else { return }
        block.feedForwardOutNorm?(projected, into: projected, ops)
        ops.add(hidden, projected)
    }

    func finalStates(_ batch: Batch, _ scratch: Scratch) -> Rows {
        let picked = scratch.picked.rows(batch.outputs.count + batch.states.count)
        guard picked.count > 0 else { return picked }
        batch.withPicks { picked.gather(scratch.hidden.rows(batch.rows.count), indices: $0) }
        parts.outputNorm(picked, into: picked, scratch.ops)
        return picked
    }

    func head(_ batch: Batch, _ scratch: Scratch) {
        _ = finalStates(batch, scratch)
        guard !batch.outputs.isEmpty else { return }
        let ops = scratch.ops
        let scores = scratch.scores.rows(batch.outputs.count)
        parts.output(ops.input(scratch.picked.rows(batch.outputs.count)), into: scores, ops)
        if parts.scoreCap > 0 { ops.softCap(scores, cap: parts.scoreCap) }
    }
}
