internal import Tensors

/// Pages as sequences use them: taken, found by prefix, indexed, given back.
struct SequenceCache {
    private var pool: PagePool
    private var index: PrefixIndex
    private let sharesPrefixes: Bool
    let pageSize: Int

    init(pageCount: Int, pageSize: Int, sharesPrefixes: Bool) {
        pool = PagePool(count: pageCount)
        index = PrefixIndex(pageSize: pageSize)
        self.pageSize = pageSize
        self.sharesPrefixes = sharesPrefixes
    }

    var pageCount: Int { pool.count }
    var freePages: Int { pool.freeCount }
    var indexedPages: Int { index.pageCount }
    var queriedTokens: Int { index.queriedTokens }
    var hitTokens: Int { index.hitTokens }

    /// Gives a sequence without pages those of its longest known prefix. At least one token stays to be computed, since
    /// its scores are wanted.
    mutating func adoptPrefix(_ sequence: TokenSequence) {
        precondition(sequence.pages.count == 0 && sequence.computed == 0)
        guard sharesPrefixes, sequence.request.promptLogprobs == nil else { return }
        let pages = index.match(sequence.tokens, limit: sequence.tokens.count - 1, salt: sequence.salt)
        for page in pages {
            pool.retain(page)
            sequence.pages.append(page)
        }
        sequence.indexedPages = pages.count
        sequence.computed = pages.count * pageSize
        if sequence.generatedCount == 0 { sequence.statistics.cachedTokens = sequence.computed }
    }

    /// Counts what a sequence found, once it is let in.
    mutating func countAdmission(_ sequence: TokenSequence) {
        guard sharesPrefixes, sequence.request.promptLogprobs == nil else { return }
        index.count(queried: sequence.tokens.count, hit: sequence.computed)
    }

    /// Makes room for the next `count` tokens of a sequence, evicting unused prefixes where pages are short. Takes nothing
    /// where there is not enough.
    mutating func reserve(_ sequence: TokenSequence, count: Int) -> Bool {
        let needed = (sequence.computed + count + pageSize - 1) / pageSize - sequence.pages.count
        guard needed > 0 else { return true }
        while pool.freeCount < needed {
            guard let page = index.evict(isUnused: { pool.referenceCount($0) == 1 }) else { return false }
            pool.release(page)
        }
        for _ in 0..<needed { sequence.pages.append(pool.take()!) }
        return true
    }

    /// Indexes the pages that a sequence has filled. A page with the same tokens that is already known has the same
    /// bits, so the sequence takes that one and its own is free again: a shared page exists once.
    mutating func indexFilledPages(_ sequence: TokenSequence) {
        guard sharesPrefixes else { return }
        while (sequence.indexedPages + 1) * pageSize <= sequence.computed {
            let place = sequence.indexedPages
            let page = sequence.pages[place]
            guard let entry = index.insert(page, index: place, tokens: sequence.tokens, salt: sequence.salt) else {
                return
            }
            if entry.isNew {
                pool.retain(page)
            } else if entry.page != page {
                pool.retain(entry.page)
                pool.release(page)
                sequence.pages[place] = entry.page
            }
            sequence.indexedPages += 1
        }
    }

    /// Takes all pages from a sequence, which has then computed nothing.
    mutating func release(_ sequence: TokenSequence) {
        while sequence.pages.count > 0 { pool.release(sequence.pages.removeLast()) }
        sequence.computed = 0
        sequence.indexedPages = 0
    }

    /// Law 4, for the given sequences.
    func violations(_ sequences: [TokenSequence]) -> [Violation] {
        var holders = index.pages
        var violations: [Violation] = []
        for sequence in sequences {
            for place in 0..<sequence.pages.count { holders.append(sequence.pages[place]) }
            let slots = sequence.pages.count * pageSize
            if slots < sequence.computed {
                violations.append(.uncoveredTokens(sequence: sequence.id, computed: sequence.computed, slots: slots))
            }
        }
        return violations + pool.violations(holders: holders)
    }
}
