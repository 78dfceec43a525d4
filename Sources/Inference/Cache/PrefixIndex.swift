/// Whole pages of computed tokens, found again by the tokens they hold: a tree over pages, one root for each salt.
///
/// The index holds a reference on each of its pages. What a page holds is a function of the tokens up to its end and of the salt
/// (law 3), so a hit gives the bits of a cold run. Pages that no sequence uses leave as the eviction policy
/// says, children before parents.
package struct PrefixIndex {
    /// Everything besides the tokens that changes keys and values, or that keeps callers' pages apart.
    package struct Salt: Hashable {
        package var rotationVariant = 0
        /// Pages of requests with another text are not shared.
        package var text = ""

        package init(rotationVariant: Int = 0, text: String = "") {
            self.rotationVariant = rotationVariant
            self.text = text
        }
    }

    /// Where a page hangs: under which page (−1: none, it begins a sequence), and what it holds.
    package struct Place: Hashable {
        package let salt: Salt
        package let parent: Int32
        package let tokens: [Int32]

        package init(salt: Salt, parent: Int32, tokens: [Int32]) {
            self.salt = salt
            self.parent = parent
            self.tokens = tokens
        }
    }

    struct Node {
        let place: Place
        /// How many pages lie before it.
        let depth: Int
        var children = 0
        /// Whether no sequence holds it.
        var isUnused = false
        /// What its last user said of its future.
        var hint: ReuseHint?
    }

    /// A page that left.
    package struct Evicted {
        package let page: Int32
        let depth: Int
        let hint: ReuseHint?
    }

    let pageSize: Int
    private var pagesByPlace: [Place: Int32] = [:]
    /// What each page of the cache holds; nil where the index does not know the page.
    private(set) var nodes: [Node?]
    private var policy: any EvictionPolicy
    /// What a position adds to the cost of a token at it, as a part of the cost of a token at the beginning.
    private let costSlope: Double

    /// Pages under way, by where they will hang: a sequence that waits for one finds it soon.
    private var pending: [Place: Int] = [:]

    /// Pages that nobody uses: they could all leave.
    package private(set) var unusedCount = 0
    package var pageCount: Int { pagesByPlace.count }
    var pages: some Sequence<Int32> { pagesByPlace.values }

    package init(pageSize: Int, pageCount: Int, eviction: EvictionOrder, costSlope: Double) {
        self.pageSize = pageSize
        self.costSlope = costSlope
        nodes = Array(repeating: nil, count: pageCount)
        policy = eviction.policy(pages: pageCount)
    }

    func contains(_ page: Int32) -> Bool { nodes[Int(page)] != nil }

    // MARK: Finding

    /// The pages of the longest indexed prefix of `tokens`, at most `limit` tokens of it. O(tokens).
    package func match(_ tokens: [Int32], limit: Int, salt: Salt) -> [Int32] {
        var pages: [Int32] = []
        while let place = place(pages.count, in: tokens, after: pages.last ?? -1, limit: limit, salt: salt),
            let page = pagesByPlace[place]
        {
            pages.append(page)
        }
        return pages
    }

    /// The place of a sequence's page of this index; nil where it ends after `limit` tokens.
    func place(_ index: Int, in tokens: [Int32], after parent: Int32, limit: Int, salt: Salt) -> Place? {
        let end = (index + 1) * pageSize
        guard end <= min(limit, tokens.count) else { return nil }
        return Place(salt: salt, parent: parent, tokens: Array(tokens[end - pageSize..<end]))
    }

    /// Indexes a page.
    ///
    /// - Parameters:
    ///   - page: a page that is not indexed.
    ///   - place: where it hangs; its parent must be indexed.
    /// - Returns: the page that the index has there: `page` itself if it is new (the index then holds a
    ///   reference more, which the caller counts), another with the same bits if it was known.
    package mutating func insert(_ page: Int32, at place: Place) -> (page: Int32, isNew: Bool) {
        if let known = pagesByPlace[place] { return (known, false) }
        var depth = 0
        if place.parent >= 0 {
            depth = nodes[Int(place.parent)]!.depth + 1
            nodes[Int(place.parent)]!.children += 1
            policy.withdraw(place.parent)
        }
        pagesByPlace[place] = page
        nodes[Int(page)] = Node(place: place, depth: depth)
        return (page, true)
    }

    // MARK: Use

    /// A sequence took the page.
    mutating func use(_ page: Int32) {
        guard nodes[Int(page)]!.isUnused else { return }
        nodes[Int(page)]!.isUnused = false
        unusedCount -= 1
        policy.withdraw(page)
    }

    /// The last sequence let go of the page.
    package mutating func letGo(_ page: Int32, hint: ReuseHint?) {
        let node = nodes[Int(page)]!
        policy.use(page, cost: 1 + costSlope * Double(pageSize * node.depth), hint: hint)
        guard !node.isUnused else { return }
        nodes[Int(page)]!.isUnused = true
        nodes[Int(page)]!.hint = hint
        unusedCount += 1
        if node.children == 0 { policy.offer(page) }
    }

    /// Drops the page whose turn it is, of those that nobody uses and on which no other hangs, and returns it; nil
    /// where there is none. O(log pages).
    package mutating func evict() -> Evicted? {
        guard let page = policy.victim(), let node = nodes[Int(page)] else { return nil }
        policy.withdraw(page)
        pagesByPlace[node.place] = nil
        nodes[Int(page)] = nil
        unusedCount -= 1
        let parent = node.place.parent
        if parent >= 0 {
            nodes[Int(parent)]!.children -= 1
            if nodes[Int(parent)]!.children == 0 && nodes[Int(parent)]!.isUnused { policy.offer(parent) }
        }
        return Evicted(page: page, depth: node.depth, hint: node.hint)
    }

    // MARK: Pages under way

    /// Notes that a sequence is computing the page of a place, unless another one already is.
    mutating func begin(_ place: Place, by sequence: Int) {
        if pending[place] == nil { pending[place] = sequence }
    }

    mutating func end(_ place: Place, by sequence: Int) {
        if pending[place] == sequence { pending[place] = nil }
    }

    func isUnderWay(_ place: Place) -> Bool { pending[place] != nil }

    /// Where the index's own counts do not add up.
    ///
    /// - Parameter isUsed: whether anyone but the index holds a page.
    package func violations(isUsed: (Int32) -> Bool) -> [Violation] {
        var violations: [Violation] = []
        var children = [Int](repeating: 0, count: nodes.count)
        for place in pagesByPlace.keys where place.parent >= 0 { children[Int(place.parent)] += 1 }
        for (place, page) in pagesByPlace {
            guard let node = nodes[Int(page)], node.place == place, node.children == children[Int(page)],
                node.isUnused != isUsed(page), place.parent < 0 || nodes[Int(place.parent)] != nil
            else {
                violations.append(.index(page: Int(page)))
                continue
            }
        }
        let (known, unused) = (nodes.count { $0 != nil }, nodes.count { $0?.isUnused == true })
        if known != pagesByPlace.count || unused != unusedCount { violations.append(.index(page: -1)) }
        return violations
    }
}
