internal import Models
internal import Tensors

extension EngineLoop {
    /// The tiers behind the cache that the configuration asks for; nil where it asks for none.
    func makeTiers(_ batch: Batch) throws(EngineError) -> PageTiers? {
        guard configuration.swapBytes > 0 || configuration.prefixStore != nil else { return nil }
        let memory = MemoryTier(bytes: configuration.swapBytes, pageBytes: storage.pageBytes)
        guard memory != nil || configuration.swapBytes == 0 else {
            throw .configuration(
                field: "swap memory", value: configuration.swapBytes,
                allowed: "0, or at least one page of \(storage.pageBytes) bytes")
        }
        var store: PrefixStore?
        if let settings = configuration.prefixStore {
            store = try PrefixStore(folder: settings.folder, maximumBytes: settings.maximumBytes)
        }
        return PageTiers(
            space: pageSpace(batch), memory: memory, store: store, pageCount: storage.pageCount,
            pageBytes: storage.pageBytes)
    }

    /// Everything besides tokens and salt that a page's bytes follow from: the model, how the cache is laid out, and the arithmetic
    /// itself, known by the keys and values that it gives for some tokens, in all rotation variants. A version of Apus that
    /// computes other bits finds none of the old pages.
    private func pageSpace(_ batch: Batch) -> [UInt8] {
        let shape = model.shape
        let pages = PageList(capacity: 1)
        pages.append(0)
        batch.removeAll()
        let lastVariant = model.rotationVariant(length: .max)
        for position in 0..<min(configuration.tokenBudget, configuration.pageSize, 16) {
            batch.rows.append(
                token: Int32((position * 7919 + 1) % shape.vocabulary), position: position, slot: position,
                visible: position + 1, variant: position % 2 == 0 ? 0 : lastVariant, pages: pages)
        }
        _ = model.forward(batch, storage, scratch)
        batch.removeAll()
        var hash = ContentHash()
        hash.add(UnsafeRawBufferPointer(storage.pageContents(0)))
        storage.discard(0)
        hash.add(configuration.prefixStore?.model ?? "")
        hash.add("\(configuration.layout.name) \(configuration.pageSize) \(shape)")
        let value = hash.value
        return (0..<32).map { UInt8(truncatingIfNeeded: value[$0 / 8] >> (8 * UInt64($0 % 8))) }
    }
}
