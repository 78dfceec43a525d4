/// Pages behind the cache: the swap memory and the prefix store, what is worth moving there, and what moving costs.
///
/// A page that leaves is kept where bringing it back is cheaper than computing it again; one whose copy is already there
/// moves nothing (FastSwitch, Shen and others 2024, section 3: only what is new moves between turns).
struct PageTiers {
    private let space: [UInt8]
    private let memory: MemoryTier?
    private let store: PrefixStore?
    /// What each page of the cache holds, where it was indexed.
    private var keys: [PageKey?]
    /// Measured seconds of moving one page, out and back.
    private var memorySeconds: (out: Double, back: Double)
    private var storeSeconds: (out: Double, back: Double)
    private var counts = EngineStatistics()
    /// What time it is, for the cost of moves.
    var now: () -> ContinuousClock.Instant = { .now }

    /// - Parameter space: everything besides tokens and salt that pages depend on.
    init(space: [UInt8], memory: MemoryTier?, store: PrefixStore?, pageCount: Int, pageBytes: Int) {
        self.space = space
        self.memory = memory
        self.store = store
        keys = Array(repeating: nil, count: pageCount)
        // Until measured: what such devices do at least.
        memorySeconds = (Double(pageBytes) / 2e9, Double(pageBytes) / 2e9)
        storeSeconds = (Double(pageBytes) / 0.5e9, Double(pageBytes) / 0.5e9)
    }

    /// The key of a sequence's page. O(tokens) once for each page.
    func key(_ sequence: TokenSequence, _ number: Int, _ pageSize: Int) -> PageKey {
        if sequence.pageKeys.isEmpty { sequence.pageKeys.append(PageKey(space: space, salt: sequence.salt)) }
        while sequence.pageKeys.count <= number + 1 {
            let first = (sequence.pageKeys.count - 1) * pageSize
            sequence.pageKeys.append(sequence.pageKeys.last!.next(sequence.tokens[first..<first + pageSize]))
        }
        return sequence.pageKeys[number + 1]
    }

    func contains(_ key: PageKey) -> Bool { memory?.contains(key) == true || store?.contains(key) == true }

    /// Fills a page of the cache. False where the page is no longer there or not whole.
    mutating func bring(_ key: PageKey, to page: Int32, _ contents: UnsafeMutableRawBufferPointer) -> Bool {
        if let memory, measure(\.memorySeconds.back, { memory.load(key, into: contents) }) {
            counts.swappedInPages += 1
        } else if let store, measure(\.storeSeconds.back, { store.load(key, into: contents) }) {
            counts.loadedPages += 1
        } else {
            return false
        }
        keys[Int(page)] = key
        return true
    }

    /// A page was filled and indexed. Prompts are written to the store at once, so that they outlive the process however it ends.
    mutating func filled(_ page: Int32, _ key: PageKey, isPrompt: Bool, _ contents: UnsafeMutableRawBufferPointer) {
        keys[Int(page)] = key
        guard isPrompt, let store, !store.contains(key) else { return }
        if measure(\.storeSeconds.out, { store.store(key, UnsafeRawBufferPointer(contents)) }) {
            counts.storedPages += 1
        }
    }

    /// A page was found in the cache itself.
    func use(_ page: Int32) {
        guard let key = keys[Int(page)] else { return }
        store?.use(key)
    }

    /// A page leaves the cache: kept where that is expected to pay.
    ///
    /// - Parameter rebuilding: seconds of computing it again.
    mutating func leaves(
        _ page: Int32, hint: ReuseHint?, rebuilding: Double, _ contents: UnsafeMutableRawBufferPointer
    ) {
        guard let key = keys[Int(page)] else { return }
        keys[Int(page)] = nil
        // Somebody waits for what is needed; of what nobody spoke for, half comes back.
        let chance = hint == .needed ? 1 : hint == nil ? 0.5 : 0
        let seconds = memory != nil ? memorySeconds : storeSeconds
        guard chance * rebuilding > seconds.out + chance * seconds.back else { return }
        if contains(key) {
            counts.sparedMoves += 1
        } else if let memory {
            if measure(\.memorySeconds.out, { memory.store(key, UnsafeRawBufferPointer(contents)) }) {
                counts.swappedOutPages += 1
            }
        } else if let store, measure(\.storeSeconds.out, { store.store(key, UnsafeRawBufferPointer(contents)) }) {
            counts.storedPages += 1
        }
    }

    /// Does a move, and notes how long one takes where it was made.
    private mutating func measure(_ average: WritableKeyPath<PageTiers, Double>, _ move: () -> Bool) -> Bool {
        let start = now()
        guard move() else { return false }
        let seconds = (now() - start).seconds
        self[keyPath: average] += 0.1 * (seconds - self[keyPath: average])
        return true
    }

    func fill(_ statistics: inout EngineStatistics) {
        statistics.swappedOutPages = counts.swappedOutPages
        statistics.swappedInPages = counts.swappedInPages
        statistics.sparedMoves = counts.sparedMoves
        statistics.storedPages = counts.storedPages
        statistics.loadedPages = counts.loadedPages
        statistics.damagedPages = store?.damaged ?? 0
        statistics.failedStores = store?.failures ?? 0
        statistics.isStoreReadOnly = store.map { !$0.isWritable } ?? false
    }
}
