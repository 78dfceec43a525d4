internal import Tensors

/// Pages as sequences use them: taken, found by prefix, shared, indexed, given back.
struct SequenceCache {
    private(set) var pool: PagePool
    private(set) var index: PrefixIndex
    private let storage: any PagedCache
    private let sharesPrefixes: Bool
    /// Where pages go that must leave; nil where there is no such place.
    var tiers: PageTiers?
    /// What computing tokens takes, as measured.
    var cost: StepCost
    let pageSize: Int
    private(set) var counts = Counts()

    /// What happened to pages since the engine was made.
    struct Counts {
        /// Tokens of requests that were let in, and how many of them were found.
        var queriedTokens = 0
        var hitTokens = 0
        /// Pages that left the prefix index for others.
        var evictions = 0
        /// Pages copied because a fork wrote on.
        var copies = 0
    }

    /// - Parameters:
    ///   - attentionShare: what a position adds to the cost of a token there, as a part of the cost of a token at the beginning.
    init(
        storage: any PagedCache, sharesPrefixes: Bool, eviction: EvictionOrder, parameters: Int, attentionShare: Double
    ) {
        self.storage = storage
        pool = PagePool(count: storage.pageCount)
        index = PrefixIndex(
            pageSize: storage.pageSize, pageCount: storage.pageCount, eviction: eviction, costSlope: attentionShare)
        pageSize = storage.pageSize
        cost = StepCost(parameters: parameters, attentionShare: attentionShare)
        self.sharesPrefixes = sharesPrefixes
    }

    var pageCount: Int { pool.limit }
    var freePages: Int { pool.freeCount }
    var indexedPages: Int { index.pageCount }
    /// Indexed pages that no sequence uses: they leave when others need them.
    var cachedPages: Int { index.unusedCount }

    /// Pages that hold `tokens` tokens.
    func pages(for tokens: Int) -> Int { (tokens + pageSize - 1) / pageSize }

    // MARK: Prefixes

    /// How many of a sequence's tokens are known.
    func knownTokens(_ sequence: TokenSequence) -> Int {
        guard sharesPrefixes else { return 0 }
        return pageSize * index.match(sequence.tokens, limit: sequence.findableTokens, salt: sequence.salt).count
    }

    /// How many tokens of a request's prompt are known.
    func knownTokens(_ request: GenerationRequest, variant: Int) -> Int {
        guard sharesPrefixes, request.promptLogprobs == nil else { return 0 }
        let salt = PrefixIndex.Salt(rotationVariant: variant, text: request.cacheSalt ?? "")
        return pageSize * index.match(request.prompt, limit: request.prompt.count - 1, salt: salt).count
    }

    /// Gives a sequence without pages those of its longest known prefix. At least one token stays to be computed, since
    /// its scores are wanted.
    ///
    /// - Returns: false where the next page is one that another sequence is computing: waiting for it is cheaper.
    mutating func adoptPrefix(_ sequence: TokenSequence) -> Bool {
        precondition(sequence.pages.count == 0 && sequence.computed == 0)
        guard sharesPrefixes else { return true }
        let pages = index.match(sequence.tokens, limit: sequence.findableTokens, salt: sequence.salt)
        if let next = index.place(
            pages.count, in: sequence.tokens, after: pages.last ?? -1, limit: sequence.findableTokens,
            salt: sequence.salt), index.isUnderWay(next)
        {
            return false
        }
        for page in pages {
            pool.retain(page)
            index.use(page)
            sequence.pages.append(page)
            tiers?.use(page)
        }
        sequence.indexedPages = pages.count
        guard bringPages(sequence) else { return false }
        sequence.computed = sequence.indexedPages * pageSize
        if sequence.generatedCount == 0 { sequence.statistics.cachedTokens = sequence.computed }
        return true
    }

    /// Brings the pages after those that a sequence found from the tiers, as long as they are there and there is room.
    ///
    /// - Returns: false where another sequence is computing the next page: what was brought is found later.
    private mutating func bringPages(_ sequence: TokenSequence) -> Bool {
        // One that cannot be let in yet would only make others' pages leave.
        let needed = pages(for: sequence.tokens.count) - sequence.pages.count
        guard tiers != nil, pool.limit - pool.usedCount + index.unusedCount >= needed else { return true }
        while let place = nextPlace(sequence, limit: sequence.findableTokens) {
            if index.isUnderWay(place) {
                release(sequence)
                return false
            }
            let key = tiers!.key(sequence, sequence.indexedPages, pageSize)
            guard tiers!.contains(key), makeRoom(1), let page = pool.take() else { return true }
            guard tiers!.bring(key, to: page, storage.pageContents(Int(page))) else {
                pool.release(page)
                return true
            }
            _ = index.insert(page, at: place)
            pool.retain(page)
            sequence.pages.append(page)
            sequence.indexedPages += 1
        }
        return true
    }

    /// Where a sequence's first page that is not indexed will hang; nil where it ends after `limit` tokens.
    private func nextPlace(_ sequence: TokenSequence, limit: Int) -> PrefixIndex.Place? {
        let last = sequence.indexedPages == 0 ? -1 : sequence.pages[sequence.indexedPages - 1]
        return index.place(
            sequence.indexedPages, in: sequence.tokens, after: last, limit: limit, salt: sequence.salt)
    }

    /// Notes what a sequence that was let in had found, and that it now computes the page after.
    mutating func admitted(_ sequence: TokenSequence) {
        guard sharesPrefixes else { return }
        counts.queriedTokens += sequence.tokens.count
        counts.hitTokens += sequence.computed
        beginNextPage(sequence)
    }

    private mutating func beginNextPage(_ sequence: TokenSequence) {
        sequence.pageUnderWay = nextPlace(sequence, limit: sequence.tokens.count)
        if let place = sequence.pageUnderWay { index.begin(place, by: sequence.id) }
    }

    private mutating func endPage(_ sequence: TokenSequence) {
        if let place = sequence.pageUnderWay { index.end(place, by: sequence.id) }
        sequence.pageUnderWay = nil
    }

    /// Indexes the pages that a sequence has filled. A page with the same tokens that is already known has the same
    /// bits, so the sequence takes that one and its own is free again: a shared page exists once.
    mutating func indexFilledPages(_ sequence: TokenSequence) {
        guard sharesPrefixes, (sequence.indexedPages + 1) * pageSize <= sequence.computed else { return }
        endPage(sequence)
        while (sequence.indexedPages + 1) * pageSize <= sequence.computed {
            let number = sequence.indexedPages
            let page = sequence.pages[number]
            let place = nextPlace(sequence, limit: sequence.computed)!
            let entry = index.insert(page, at: place)
            if entry.isNew {
                pool.retain(page)
                if tiers != nil {
                    let key = tiers!.key(sequence, number, pageSize)
                    let isPrompt = (number + 1) * pageSize <= sequence.promptCount
                    tiers!.filled(page, key, isPrompt: isPrompt, storage.pageContents(Int(page)))
                }
            } else {
                pool.retain(entry.page)
                index.use(entry.page)
                release(page, hint: nil)
                sequence.pages[number] = entry.page
            }
            sequence.indexedPages += 1
        }
        beginNextPage(sequence)
    }

    // MARK: Room

    /// Makes room for the next `count` tokens of a sequence, evicting unused prefixes where pages are short. Takes nothing
    /// where there is not enough. A page that others hold too is copied before it is written on.
    mutating func reserve(_ sequence: TokenSequence, count: Int) -> Bool {
        var needed = pages(for: sequence.computed + count) - sequence.pages.count
        let place = sequence.computed / pageSize
        let writesOnShared =
            count > 0 && place < sequence.pages.count && pool.referenceCount(sequence.pages[place]) > 1
        if writesOnShared { needed += 1 }
        guard needed > 0 else { return true }
        guard makeRoom(needed) else { return false }
        if writesOnShared {
            let (shared, own) = (sequence.pages[place], pool.take()!)
            storage.copyPage(Int(shared), to: Int(own))
            counts.copies += 1
            sequence.pages[place] = own
            release(shared, hint: nil)
            needed -= 1
        }
        for _ in 0..<needed { sequence.pages.append(pool.take()!) }
        return true
    }

    /// Evicts until so many pages are free. False where that cannot be.
    private mutating func makeRoom(_ pages: Int) -> Bool {
        guard pool.limit - pool.usedCount + index.unusedCount >= pages else { return false }
        while pool.freeCount < pages { evict() }
        return true
    }

    private mutating func evict() {
        guard let evicted = index.evict() else { preconditionFailure("unused pages can all leave") }
        counts.evictions += 1
        if tiers != nil {
            let rebuilding = cost.seconds(tokens: pageSize, from: evicted.depth * pageSize)
            tiers!.leaves(
                evicted.page, hint: evicted.hint, rebuilding: rebuilding, storage.pageContents(Int(evicted.page)))
        }
        release(evicted.page, hint: nil)
    }

    /// Gives a fork the pages of another sequence's first `computed` tokens: shared, also the last one.
    mutating func share(_ source: TokenSequence, with fork: TokenSequence, computed: Int) {
        precondition(fork.pages.count == 0 && computed <= source.computed)
        for number in 0..<pages(for: computed) {
            pool.retain(source.pages[number])
            fork.pages.append(source.pages[number])
        }
        fork.computed = computed
        fork.indexedPages = min(source.indexedPages, computed / pageSize)
        if sharesPrefixes { beginNextPage(fork) }
    }

    /// Takes all pages from a sequence, which has then computed nothing.
    mutating func release(_ sequence: TokenSequence, hint: ReuseHint? = nil) {
        endPage(sequence)
        while sequence.pages.count > 0 { release(sequence.pages.removeLast(), hint: hint) }
        sequence.computed = 0
        sequence.indexedPages = 0
    }

    private mutating func release(_ page: Int32, hint: ReuseHint?) {
        let left = pool.release(page)
        if left == 1 && index.contains(page) { index.letGo(page, hint: hint) }
        // While memory is withheld, what is not used is given back to the system.
        if left == 0 && pool.limit < pool.count { storage.discard(Int(page)) }
    }

    // MARK: Less memory

    /// Changes how many pages may be held; ``shrink()`` then makes it so.
    mutating func setLimit(_ pages: Int) {
        pool.setLimit(pages)
        if pool.limit < pool.count { for page in pool.freePages { storage.discard(Int(page)) } }
    }

    /// Evicts unused pages beyond the limit; true where none are left beyond it.
    mutating func shrink() -> Bool {
        while pool.usedCount > pool.limit, index.unusedCount > 0 { evict() }
        return pool.usedCount <= pool.limit
    }

    /// Law 4, for the given sequences.
    func violations(_ sequences: [TokenSequence]) -> [Violation] {
        var holders = Array(index.pages)
        var violations: [Violation] = []
        for sequence in sequences {
            for place in 0..<sequence.pages.count { holders.append(sequence.pages[place]) }
            let slots = sequence.pages.count * pageSize
            if slots < sequence.computed {
                violations.append(.uncoveredTokens(sequence: sequence.id, computed: sequence.computed, slots: slots))
            }
        }
        return violations + pool.violations(holders: holders)
            + index.violations(isUsed: { pool.referenceCount($0) > 1 })
    }
}
