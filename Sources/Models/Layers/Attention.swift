internal import Tensors

/// Grouped-query attention over the paged cache.
struct Attention: Sendable {
    var query: Linear
    var key: Linear
    var value: Linear
    var output: Linear
    /// Norms over each head of queries and keys, before the rotation.
    var queryNorm: Norm?
    var keyNorm: Norm?
    /// Index of the rotation among the model's; nil for learned positions.
    var rotation: Int?
    var pairing: RotationPairing
    var headWidth: Int
    /// Slots that a row may look back, itself included; nil for all.
    var window: Int?
    /// On the product of query and key.
    var scale: Float
    var softCap: Float = 0

    /// Reads `scratch.normed`, writes `scratch.projected`. False where a tap has ended the block.
    func callAsFunction(layer: Int, _ batch: Batch, _ cache: any PagedCache, _ scratch: Scratch) -> Bool {
        let ops = scratch.ops
        let count = batch.rows.count
        let queries = scratch.queries.rows(count)
        let keys = scratch.keys.rows(count).columns(0, width: key.weight.outputs)
        let values = scratch.values.rows(count).columns(0, width: value.weight.outputs)
        let attended = scratch.attended.rows(count)
        guard scratch.goesOn(layer, .attention, scratch.normed.rows(count)) else { return false }
        let input = ops.input(scratch.normed.rows(count))
        Linear.all(input, (query, queries), (key, keys), (value, values), ops)
        queryNorm?(queries, into: queries, ops)
        keyNorm?(keys, into: keys, ops)
        if let rotation {
            let table = scratch.rotations[rotation]
            let (cosines, sines) = (table.cosines.rows(count), table.sines.rows(count))
            ops.rotate(queries, headWidth: headWidth, cosines: cosines, sines: sines, pairing: pairing)
            ops.rotate(keys, headWidth: headWidth, cosines: cosines, sines: sines, pairing: pairing)
        }
        cache.store(keys: keys, values: values, batch: batch.rows, layer: layer, ops)
        cache.attend(
            queries, batch: batch.rows, layer: layer, window: window, scale: scale, softCap: softCap, into: attended,
            ops)
        guard scratch.goesOn(layer, .attentionOutput, attended) else { return false }
        output(ops.input(attended), into: scratch.projected.rows(count), ops)
        return true
    }
}
