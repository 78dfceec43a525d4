/// Whole pages of computed tokens, found again by the tokens they hold: a tree over pages, one root for each salt.
///
/// The index holds a reference on each of its pages. What a page holds is a function of the tokens up to its end and of the salt
/// (law 3), so a hit gives the bits of a cold run. Nodes leave oldest use first, children before parents.
struct PrefixIndex {
    /// Everything besides the tokens that changes keys and values.
    struct Salt: Hashable {
        var rotationVariant: Int
    }

    private final class Node {
        let page: Int32
        let tokens: [Int32]
        unowned(unsafe) let parent: Node?
        var children: [[Int32]: Node] = [:]
        var lastUse = 0

        init(page: Int32, tokens: [Int32], parent: Node?) {
            self.page = page
            self.tokens = tokens
            self.parent = parent
        }
    }

    let pageSize: Int
    private var roots: [Salt: Node] = [:]
    private var nodes: [ObjectIdentifier: Node] = [:]
    private var clock = 0

    /// Tokens asked for and tokens found, over the index's life.
    private(set) var queriedTokens = 0
    private(set) var hitTokens = 0

    init(pageSize: Int) { self.pageSize = pageSize }

    var pageCount: Int { nodes.count }
    var pages: [Int32] { nodes.values.map(\.page) }

    /// The pages of the longest indexed prefix of `tokens`, at most `limit` tokens of it. O(tokens).
    mutating func match(_ tokens: [Int32], limit: Int, salt: Salt) -> [Int32] {
        clock += 1
        guard var node = roots[salt] else { return [] }
        var pages: [Int32] = []
        var start = 0
        while start + pageSize <= min(limit, tokens.count),
            let child = node.children[Array(tokens[start..<start + pageSize])]
        {
            child.lastUse = clock
            pages.append(child.page)
            node = child
            start += pageSize
        }
        return pages
    }

    /// Counts a request that was let in, however often it had asked before.
    mutating func count(queried: Int, hit: Int) {
        queriedTokens += queried
        hitTokens += hit
    }

    /// Indexes the page that holds tokens[index × pageSize ..< (index + 1) × pageSize] of a sequence.
    ///
    /// - Returns: the page that the index has for these tokens: `page` itself if it is new (the index then holds a
    ///   reference more, which the caller counts), another with the same bits if it was known.
    mutating func insert(_ page: Int32, index: Int, tokens: [Int32], salt: Salt) -> (page: Int32, isNew: Bool)? {
        if roots[salt] == nil { roots[salt] = Node(page: -1, tokens: [], parent: nil) }
        var node = roots[salt]!
        // The path must be whole: a page whose ancestors have left cannot be found again.
        for ancestor in 0..<index {
            guard let child = node.children[Array(tokens[ancestor * pageSize..<(ancestor + 1) * pageSize])] else {
                return nil
            }
            node = child
        }
        clock += 1
        let key = Array(tokens[index * pageSize..<(index + 1) * pageSize])
        if let known = node.children[key] {
            known.lastUse = clock
            return (known.page, false)
        }
        let added = Node(page: page, tokens: key, parent: node)
        added.lastUse = clock
        node.children[key] = added
        nodes[ObjectIdentifier(added)] = added
        return (page, true)
    }

    /// Drops the least recently used page that nobody else holds and that has no children in the index, and returns
    /// it; nil where there is none. O(pages of the index).
    mutating func evict(isUnused: (Int32) -> Bool) -> Int32? {
        var oldest: Node?
        for node in nodes.values where node.children.isEmpty && isUnused(node.page) {
            guard let current = oldest else {
                oldest = node
                continue
            }
            if (node.lastUse, node.page) < (current.lastUse, current.page) { oldest = node }
        }
        guard let oldest else { return nil }
        nodes[ObjectIdentifier(oldest)] = nil
        oldest.parent?.children[oldest.tokens] = nil
        return oldest.page
    }
}
