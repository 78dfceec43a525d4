public import Tensors

extension KernelLadder {
    private static let (heads, cacheHeads, headWidth) = (32, 8, 64)
    private static let pageSize = 64

    /// Attention of one layer: single rows that see 512 and 4,096 slots, 16 sequences, and a prompt.
    public func attention(types: [CacheType], report: (KernelReport) -> Void) {
        let cases = [
            (sequences: 1, rows: 1, slots: 512), (sequences: 1, rows: 1, slots: 4096), (sequences: 16, rows: 1, slots: 512),
            (sequences: 1, rows: 512, slots: 512), (sequences: 1, rows: 512, slots: 4096),
        ]
        for type in types {
            for item in cases { report(attention(type, item.sequences, item.rows, item.slots)) }
        }
    }

    /// - Parameters:
    ///   - rows: of each sequence, the last of its `slots`.
    private func attention(_ type: CacheType, _ sequences: Int, _ rows: Int, _ slots: Int) -> KernelReport {
        let width = Self.heads * Self.headWidth
        let shape = CacheLayerShape(heads: Self.cacheHeads, keyWidth: Self.headWidth, valueWidth: Self.headWidth)
        let pages = (slots + Self.pageSize - 1) / Self.pageSize
        let bytesOfLayer = 2 * Self.cacheHeads * Self.headWidth * type.bytes * slots * sequences
        // A model's other layers push a layer's keys out of the cache before its turn comes again.
        let layers = max(2, min(64, 4 * lastCacheBytes() / bytesOfLayer + 1))
        guard
            let cache = CacheStorage(
                layers: Array(repeating: shape, count: layers), pageSize: Self.pageSize, pageCount: pages * sequences,
                type: type)
        else { preconditionFailure("a few hundred MB of cache") }
        for page in 0..<pages * sequences { fillPage(cache, page) }
        let count = sequences * rows
        let batch = BatchRows(capacity: count)
        let lists = (0..<sequences).map { sequence in
            let list = PageList(capacity: pages)
            for page in 0..<pages { list.append(Int32(sequence * pages + page)) }
            return list
        }
        var seen = 0
        for sequence in 0..<sequences {
            for slot in slots - rows..<slots {
                batch.append(
                    token: 0, position: slot, slot: slot, visible: slot + 1, variant: 0, pages: lists[sequence])
                seen += slot + 1
            }
        }
        let (queries, out) = (RandomRows(count, width: width), RandomRows(count, width: width))
        // The batch points into the lists.
        defer { withExtendedLifetime(lists) {} }
        func seconds(_ kernels: KernelTable, budget: Double) -> Sample {
            let ops = Ops(kernels: kernels, threads: threads, maximumRows: count, maximumInputs: width)
            var layer = 0
            return measureRepeatedly(budget: budget) {
                ops.attention(
                    queries.all, batch: batch, cache: cache, layer: layer % layers, window: nil, scale: 0.125,
                    into: out.all)
                layer += 1
            }
        }
        let measured = seconds(kernels, budget: budget)
        let operations = 4 * Double(width) * Double(seen)
        return KernelReport(
            kernel: "attention", format: type.rawValue, rows: count, slots: slots, seconds: measured,
            operations: operations, bytes: Double(bytesOfLayer),
            share: LimitShare(
                seconds: measured.median, bytes: Double(bytesOfLayer), operations: (0, operations), limits: limits),
            timesReference: isReference ? 1 : seconds(Self.reference, budget: budget / 4).median / measured.median)
    }
}
