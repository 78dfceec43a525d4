internal import CKernels

extension Ops {
    /// Writes each row's keys and values ([rows, heads × width]) into its slot of a layer's cache.
    public func store(keys: Rows, values: Rows, batch: BatchRows, cache: CacheStorage, layer: Int) {
        let shape = cache.layer(layer)
        precondition(
            keys.width == Int(shape.heads * shape.key_dim) && values.width == Int(shape.heads * shape.value_dim))
        precondition(keys.count == batch.count && values.count == batch.count)
        var arguments = apus_store_arguments(
            layer: shape, rows: batch.cacheRows(window: nil), keys: keys.base, values: values.base,
            key_stride: Int64(keys.stride), value_stride: Int64(values.stride))
        run(table.store, &arguments, items: batch.count, nanoseconds: batch.count * (keys.width + values.width))
    }

    /// Attention of each row over the slots it may read: softmax(scale · q·k, soft-capped) · v for every query head;
    /// consecutive query heads share a cache head.
    ///
    /// - Parameters:
    ///   - queries: [rows, query heads × key width].
    ///   - batch: the rows' page tables, and the slots each may read.
    ///   - cache: where keys and values are; the rows' own must be stored.
    ///   - layer: whose keys and values, from 0.
    ///   - window: slots a row may look back, itself included; nil for all.
    ///   - scale: on the products of queries and keys.
    ///   - softCap: cap · tanh(score / cap) on the scaled scores; 0 for none.
    ///   - out: [rows, query heads × value width].
    public func attention(
        _ queries: Rows, batch: BatchRows, cache: CacheStorage, layer: Int, window: Int?, scale: Float,
        softCap: Float = 0, into out: Rows
    ) {
        let shape = cache.layer(layer)
        let queryHeads = queries.width / Int(shape.key_dim)
        precondition(queryHeads % Int(shape.heads) == 0 && queryHeads * Int(shape.key_dim) == queries.width)
        precondition(out.width == queryHeads * Int(shape.value_dim))
        precondition(queries.count == batch.count && out.count == batch.count)
        precondition(3 * roundedUp(Int(shape.value_dim), to: 16) * 4 <= Int(APUS_SCRATCH_BYTES))
        let rows = batch.cacheRows(window: window)
        var slots = 0
        for row in 0..<batch.count { slots += Int(rows[row].high - rows[row].low) }
        let (tiles, tileCount) = batch.tiles(heads: Int(shape.heads), threads: threads)
        var arguments = apus_attention_arguments(
            layer: shape, rows: rows, queries: queries.base, query_stride: Int64(queries.stride), out: out.base,
            out_stride: Int64(out.stride), group: Int32(queryHeads / Int(shape.heads)), scale: scale,
            soft_cap: softCap, tiles: tiles)
        run(
            table.attention, &arguments, items: tileCount * Int(shape.heads),
            nanoseconds: slots * (queries.width + out.width) / 16)
    }
}
