/// The pages of the cache and who holds them: a page is free or has references.
///
/// Law 4: free + referenced = all, after every step; ``violations(holders:)`` says where not.
struct PagePool {
    private var references: [Int32]
    private var free: [Int32]
    /// The most pages that may be held at once.
    private(set) var limit: Int

    var count: Int { references.count }
    /// Pages that may be taken now.
    var freeCount: Int { max(0, limit - usedCount) }
    var usedCount: Int { references.count - free.count }

    init(count: Int) {
        references = Array(repeating: 0, count: count)
        // Taken from the end: low pages first, so that a small load touches little memory.
        free = (0..<Int32(count)).reversed()
        limit = count
    }

    /// Changes how many pages may be held. Where more are held, none is free until enough were given back.
    mutating func setLimit(_ pages: Int) { limit = max(0, min(pages, count)) }

    var freePages: [Int32] { free }

    /// A free page with one reference, or nil where none is left.
    mutating func take() -> Int32? {
        guard freeCount > 0, let page = free.popLast() else { return nil }
        references[Int(page)] = 1
        return page
    }

    mutating func retain(_ page: Int32) {
        precondition(references[Int(page)] > 0, "a free page cannot be shared")
        references[Int(page)] += 1
    }

    /// Returns how many references are left.
    @discardableResult
    mutating func release(_ page: Int32) -> Int {
        precondition(references[Int(page)] > 0, "a page was released twice")
        references[Int(page)] -= 1
        if references[Int(page)] == 0 { free.append(page) }
        return Int(references[Int(page)])
    }

    func referenceCount(_ page: Int32) -> Int { Int(references[Int(page)]) }

    /// Where the counts do not add up.
    ///
    /// - Parameter holders: every page held by anyone, once for each holding.
    func violations(holders: some Sequence<Int32>) -> [Violation] {
        var violations: [Violation] = []
        var held = [Int32](repeating: 0, count: count)
        for page in holders { held[Int(page)] += 1 }
        for page in 0..<count where held[page] != references[page] {
            violations.append(.references(page: page, counted: Int(references[page]), held: Int(held[page])))
        }
        let unused = references.count { $0 == 0 }
        if unused != free.count || Set(free).count != free.count {
            violations.append(.freeList(listed: free.count, unused: unused))
        }
        return violations
    }
}

/// A broken law of the cache.
public enum Violation: Sendable, Equatable, CustomStringConvertible {
    case references(page: Int, counted: Int, held: Int)
    case freeList(listed: Int, unused: Int)
    case uncoveredTokens(sequence: Int, computed: Int, slots: Int)
    /// The prefix index counts the page's children or users wrongly; −1: its counts as a whole.
    case index(page: Int)

    public var description: String {
        switch self {
        case .references(let page, let counted, let held):
            "page \(page) counts \(counted) references but has \(held) holders"
        case .freeList(let listed, let unused): "\(listed) pages are listed as free but \(unused) are unused"
        case .uncoveredTokens(let sequence, let computed, let slots):
            "sequence \(sequence) computed \(computed) tokens but its pages hold \(slots)"
        case .index(let page): "the prefix index counts the users or children of page \(page) wrongly"
        }
    }
}
