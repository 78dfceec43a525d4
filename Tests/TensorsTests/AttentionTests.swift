import CKernels
import Testing

/// Attention over the paged cache: the bits of the definition on every table, for every cut of the pages and any company.
@Suite struct AttentionTests {
    struct Query {
        var low: Int
        var high: Int
        var elements: [Float]
    }

    static let keyWidth = 12
    static let valueWidth = 20

    /// Stores keys and values in pages taken in a mixed order, then answers the queries in one call.
    static func attend(
        _ table: KernelTable, keys: [[Float]], values: [[Float]], queries: [Query], pageSize: Int,
        tileRows: Int = 24, apart: Bool = false
    ) -> [[Float]] {
        let slots = keys.count
        let pageCount = (slots + pageSize - 1) / pageSize
        var pages = (0..<pageCount).map { Int32(($0 * 7 + 3) % pageCount) }
        if Set(pages).count < pageCount { pages = (0..<Int32(pageCount)).reversed() }
        let paddedValue = (valueWidth + 15) / 16 * 16
        let keyBytes = keyWidth * pageSize * 4
        let valueBytes = paddedValue * pageSize * 4
        // Slots that nobody wrote must not matter.
        let keyMemory = UnsafeMutableRawPointer.allocate(byteCount: pageCount * keyBytes, alignment: 64)
        let valueMemory = UnsafeMutableRawPointer.allocate(byteCount: pageCount * valueBytes, alignment: 64)
        let scratch = UnsafeMutableRawPointer.allocate(byteCount: scratchBytes, alignment: 64)
        defer {
            keyMemory.deallocate()
            valueMemory.deallocate()
            scratch.deallocate()
        }
        for at in 0..<pageCount * keyBytes / 4 {
            keyMemory.storeBytes(of: Float(1e30), toByteOffset: 4 * at, as: Float.self)
        }
        for at in 0..<pageCount * valueBytes / 4 {
            valueMemory.storeBytes(of: .nan, toByteOffset: 4 * at, as: Float.self)
        }
        let layer = apus_cache_layer(
            keys: keyMemory.assumingMemoryBound(to: UInt8.self),
            values: valueMemory.assumingMemoryBound(to: UInt8.self),
            key_page_bytes: Int64(keyBytes), value_page_bytes: Int64(valueBytes), page_size: Int32(pageSize), heads: 1,
            key_dim: Int32(keyWidth), value_dim: Int32(valueWidth), type: Int32(APUS_F32))
        var keyRows = keys.flatMap { $0 }
        var valueRows = values.flatMap { $0 }
        var queryRows = queries.flatMap(\.elements)
        var out = [Float](repeating: .nan, count: queries.count * valueWidth)
        let tiles = stride(from: 0, to: queries.count, by: tileRows).map { Int32($0) } + [Int32(queries.count)]
        let spans = apart ? (slots + 511) / 512 : 1
        var partials = [Float](repeating: .nan, count: queries.count * spans * (16 + paddedValue))
        pages.withUnsafeMutableBufferPointer { pages in
            let base = UnsafePointer(pages.baseAddress)
            var stored = (0..<slots).map { apus_cache_row(pages: base, slot: Int32($0), low: 0, high: 0) }
            var asked = queries.map { apus_cache_row(pages: base, slot: 0, low: Int32($0.low), high: Int32($0.high)) }
            keyRows.withUnsafeMutableBufferPointer { keyRows in
                valueRows.withUnsafeMutableBufferPointer { valueRows in
                    stored.withUnsafeMutableBufferPointer { stored in
                        var arguments = apus_store_arguments(
                            layer: layer, rows: stored.baseAddress, keys: keyRows.baseAddress,
                            values: valueRows.baseAddress, key_stride: Int64(keyWidth), value_stride: Int64(valueWidth))
                        table.kernels.store(&arguments, 0, Int64(slots), scratch)
                    }
                }
            }
            queryRows.withUnsafeMutableBufferPointer { queryRows in
                out.withUnsafeMutableBufferPointer { out in
                    asked.withUnsafeMutableBufferPointer { asked in
                        tiles.withUnsafeBufferPointer { tiles in
                            partials.withUnsafeMutableBufferPointer { partials in
                                var arguments = apus_attention_arguments(
                                    layer: layer, rows: asked.baseAddress, tiles: tiles.baseAddress,
                                    tile_count: Int64(tiles.count - 1), queries: queryRows.baseAddress, query_stride: Int64(keyWidth),
                                    out: out.baseAddress, out_stride: Int64(valueWidth), group: 1,
                                    spans: Int32(spans), partials: partials.baseAddress, scale: 0.7, soft_cap: 0)
                                table.kernels.attention(&arguments, 0, Int64((tiles.count - 1) * spans), scratch)
                                if spans > 1 {
                                    table.kernels.attention_merge(&arguments, 0, Int64(queries.count), scratch)
                                }
                            }
                        }
                    }
                }
            }
        }
        return queries.indices.map { Array(out[$0 * valueWidth..<($0 + 1) * valueWidth]) }
    }

    /// Ends around the borders of lanes, blocks and spans; beginnings anywhere, as a sliding window has them.
    @Test(arguments: [16, 48, 64, 128]) func followsTheDefinition(_ pageSize: Int) {
        var random = SeededGenerator(state: 21)
        let slots = 2200
        let keys = gaussianRows(slots, Self.keyWidth, &random)
        let values = gaussianRows(slots, Self.valueWidth, &random)
        let ranges = [
            (0, 1), (0, 15), (0, 16), (0, 17), (0, 63), (0, 64), (0, 65), (0, 129), (0, 511), (0, 512), (0, 513),
            (0, 1100), (0, 2200), (5, 70), (127, 128), (128, 129), (77, 300), (500, 530), (512, 513), (511, 2100),
            (2047, 2200), (0, 127), (0, 128), (0, 130), (0, 131), (0, 132), (0, 133), (0, 134), (0, 135),
            (90, 136), (91, 137), (92, 138), (93, 139), (94, 140), (95, 141), (96, 142), (97, 143),
        ]
        let queries = ranges.map { Query(low: $0.0, high: $0.1, elements: gaussianRows(1, Self.keyWidth, &random)[0]) }
        let expected = queries.map {
            OperationReference.attention(
                $0.elements, keys: keys, values: values, low: $0.low, high: $0.high, scale: 0.7)
        }
        for table in KernelTable.all {
            let together = Self.attend(table, keys: keys, values: values, queries: queries, pageSize: pageSize)
            for (index, range) in ranges.enumerated() {
                #expect(sameBits(together[index], expected[index]), "\(table.name): slots \(range), among others")
            }
            for (tileRows, apart) in [(1, false), (5, false), (24, true), (3, true)] {
                let cut = Self.attend(
                    table, keys: keys, values: values, queries: queries, pageSize: pageSize, tileRows: tileRows,
                    apart: apart)
                #expect(sameRows(cut, expected), "\(table.name): tiles of \(tileRows), spans apart: \(apart)")
            }
            for index in [2, 10, 12, 16] {
                let alone = Self.attend(
                    table, keys: keys, values: values, queries: [queries[index]], pageSize: pageSize)
                #expect(sameBits(alone[0], expected[index]), "\(table.name): slots \(ranges[index]), alone")
            }
        }
    }
}
