/// A place for pages that the cache has no room for, by what they hold. What comes back is what went in, or nothing does.
protocol PageTier: AnyObject {
    /// Whether the page is there, as far as is known.
    func contains(_ key: PageKey) -> Bool

    /// Keeps a copy of a page; others may leave for it. False where it could not be kept.
    func store(_ key: PageKey, _ bytes: UnsafeRawBufferPointer) -> Bool

    /// Brings a page back. False where it is not there or not whole; then `target` holds nothing of use.
    func load(_ key: PageKey, into target: UnsafeMutableRawBufferPointer) -> Bool

    /// The page was used where a copy of it lies in the cache.
    func use(_ key: PageKey)
}

/// Pages in the host's memory beside the cache: where preempted requests leave theirs. The least recently used one leaves.
final class MemoryTier: PageTier {
    private let base: UnsafeMutableRawPointer
    private let pageBytes: Int
    private var slots: [PageKey: Int32] = [:]
    private var keys: [PageKey?]
    private var recency: LeastRecentlyUsed

    /// - Parameter bytes: for pages; memory is taken as they come. nil where that holds none.
    init?(bytes: Int, pageBytes: Int) {
        let count = min(bytes / max(pageBytes, 1), Int(Int32.max))
        guard count > 0 else { return nil }
        base = .allocate(byteCount: count * pageBytes, alignment: 64)
        self.pageBytes = pageBytes
        keys = Array(repeating: nil, count: count)
        recency = LeastRecentlyUsed(pages: count)
    }

    deinit { base.deallocate() }

    func contains(_ key: PageKey) -> Bool { slots[key] != nil }

    func store(_ key: PageKey, _ bytes: UnsafeRawBufferPointer) -> Bool {
        precondition(bytes.count == pageBytes)
        var slot = Int32(slots.count)
        if slots.count == keys.count {
            slot = recency.victim()!
            slots[keys[Int(slot)]!] = nil
        }
        slots[key] = slot
        keys[Int(slot)] = key
        recency.use(slot, cost: 1, hint: nil)
        recency.offer(slot)
        (base + Int(slot) * pageBytes).copyMemory(from: bytes.baseAddress!, byteCount: pageBytes)
        return true
    }

    func load(_ key: PageKey, into target: UnsafeMutableRawBufferPointer) -> Bool {
        guard let slot = slots[key] else { return false }
        recency.use(slot, cost: 1, hint: nil)
        target.copyMemory(
            from: UnsafeRawBufferPointer(start: base + Int(slot) * pageBytes, count: pageBytes))
        return true
    }

    func use(_ key: PageKey) {
        if let slot = slots[key] { recency.use(slot, cost: 1, hint: nil) }
    }
}
