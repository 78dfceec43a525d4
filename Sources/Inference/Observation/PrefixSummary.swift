/// The tree of the prefixes in the cache, in branches: stretches of pages that all sequences in them share.
public struct PrefixSummary: Sendable, Equatable {
    public struct Branch: Sendable, Equatable {
        /// The place in ``branches`` of the one that it goes on from; nil at the beginning of sequences.
        public let parent: Int?
        /// Its pages, from the beginning on.
        public let pages: [Int32]
        /// The tokens of its first page.
        public let firstTokens: [Int32]
        /// Branches that go on from it, those left out among them.
        public let children: Int
        /// Pages in it and in all that goes on from it.
        public let subtreePages: Int
        /// Requests that hold its last page now, and so all of it.
        public let holders: Int
    }

    /// Parents before their children, siblings by the pages in and below them.
    public let branches: [Branch]
    /// Branches there are in all; those beyond the limit are left out.
    public let branchCount: Int
    /// Pages in all of them, and those that no request uses.
    public let pages: Int
    public let unusedPages: Int
    /// The most pages from the beginning of a sequence to an end of the tree.
    public let depth: Int
}

extension PrefixIndex {
    /// - Parameters:
    ///   - limit: the most branches to list.
    ///   - holders: requests that hold a page.
    /// - Complexity: O(pages + branches · log branches).
    func summary(limit: Int, holders: (Int32) -> Int) -> PrefixSummary {
        var children: [Int32: [Int32]] = [:]
        var depth = 0
        for page in pages.sorted() {
            let node = nodes[Int(page)]!
            children[node.place.parent, default: []].append(page)
            depth = max(depth, node.depth + 1)
        }
        // Pages below each, children first: they lie deeper.
        var below: [Int32: Int] = [:]
        for page in pages.sorted(by: { nodes[Int($0)]!.depth > nodes[Int($1)]!.depth }) {
            below[page] = 1 + (children[page] ?? []).reduce(0) { $0 + below[$1]! }
        }
        func stretch(from first: Int32) -> [Int32] {
            var pages = [first]
            while let next = children[pages.last!], next.count == 1 { pages.append(next[0]) }
            return pages
        }
        let branchCount = (children[-1]?.count ?? 0)
            + pages.reduce(0) { $0 + ((children[$1]?.count ?? 0) > 1 ? children[$1]!.count : 0) }
        var branches: [PrefixSummary.Branch] = []
        // Breadth first, so that what is left out is the small and the deep.
        var queue = (children[-1] ?? []).map { (parent: Int?.none, first: $0) }
        queue.sort { (below[$0.first]!, $1.first) > (below[$1.first]!, $0.first) }
        var place = 0
        while place < queue.count, branches.count < limit {
            let (parent, first) = queue[place]
            place += 1
            let stretch = stretch(from: first)
            let next = (children[stretch.last!] ?? []).sorted { (below[$0]!, $1) > (below[$1]!, $0) }
            branches.append(
                PrefixSummary.Branch(
                    parent: parent, pages: stretch, firstTokens: nodes[Int(first)]!.place.tokens, children: next.count,
                    subtreePages: below[first]!, holders: holders(stretch.last!)))
            for child in next { queue.append((branches.count - 1, child)) }
        }
        return PrefixSummary(
            branches: branches, branchCount: branchCount, pages: pageCount, unusedPages: unusedCount, depth: depth)
    }
}
