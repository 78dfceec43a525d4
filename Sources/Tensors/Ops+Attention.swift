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
        precondition(roundedUp(Int(shape.value_dim), to: 16) <= Self.widestValue)
        let group = queryHeads / Int(shape.heads)
        let rows = batch.cacheRows(window: window)
        // As many together as a kernel takes, but every thread its part.
        let together = min(Int(APUS_ITEM_QUERIES) / group, batch.count * Int(shape.heads) / (3 * threads))
        let tiles = batch.tiles(rows: max(1, together))
        var slots = 0
        var longest = 0
        for row in 0..<batch.count {
            slots += Int(rows[row].high - rows[row].low)
            longest = max(longest, Int(rows[row].high))
        }
        var arguments = apus_attention_arguments(
            layer: shape, rows: rows, tiles: tiles.starts, tile_count: Int64(tiles.count), queries: queries.base,
            query_stride: Int64(queries.stride), out: out.base, out_stride: Int64(out.stride), group: Int32(group),
            spans: 1, partials: partials, scale: scale, soft_cap: softCap)
        // Reading the cache costs about as much as computing with it.
        let time = slots * (queries.width + out.width) / 24
        // Few long rows: their spans are shared out too.
        let spans = (longest + Int(APUS_SPAN_SLOTS) - 1) / Int(APUS_SPAN_SLOTS)
        let room = batch.count * queryHeads * spans * (16 + roundedUp(Int(shape.value_dim), to: 16))
        if tiles.count * Int(shape.heads) < 4 * threads, threads > 1, spans > 1, room <= Self.partialCapacity {
            arguments.spans = Int32(spans)
            run(table.attention, &arguments, items: tiles.count * Int(shape.heads) * spans, nanoseconds: time)
            run(table.attention_merge, &arguments, items: batch.count * queryHeads, nanoseconds: room / 16)
        } else {
            run(table.attention, &arguments, items: tiles.count * Int(shape.heads), nanoseconds: time)
        }
    }
}
