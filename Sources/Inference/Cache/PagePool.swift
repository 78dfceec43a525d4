/// The pages of the cache and who holds them: a page is free or has references.
///
/// Law 4: free + referenced = all, after every step; ``violations(holders:)`` says where not.
struct PagePool {
    private var references: [Int32]
    private var free: [Int32]

    var count: Int { references.count }
    var freeCount: Int { free.count }

    init(count: Int) {
        references = Array(repeating: 0, count: count)
        // Taken from the end: low pages first, so that a small load touches little memory.
        free = (0..<Int32(count)).reversed()
    }

    /// A free page with one reference, or nil where none is left.
    mutating func take() -> Int32? {
        guard let page = free.popLast() else { return nil }
        references[Int(page)] = 1
        return page
    }

    mutating func retain(_ page: Int32) {
        precondition(references[Int(page)] > 0, "a free page cannot be shared")
        references[Int(page)] += 1
    }

    mutating func release(_ page: Int32) {
        precondition(references[Int(page)] > 0, "a page was released twice")
        references[Int(page)] -= 1
        if references[Int(page)] == 0 { free.append(page) }
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

    public var description: String {
        switch self {
        case .references(let page, let counted, let held):
            "page \(page) counts \(counted) references but has \(held) holders"
        case .freeList(let listed, let unused): "\(listed) pages are listed as free but \(unused) are unused"
        case .uncoveredTokens(let sequence, let computed, let slots):
            "sequence \(sequence) computed \(computed) tokens but its pages hold \(slots)"
        }
    }
}
