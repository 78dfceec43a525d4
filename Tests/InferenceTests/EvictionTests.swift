import Inference
import Testing

/// SplitMix64, so that a failing run comes back.
struct Dice: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}

/// Eviction policies as paging algorithms, on request traces: against the offline optimum and the bounds that are proven for
/// them, and against a plain second implementation.
@Suite struct EvictionTests {
    /// Faults of a policy on a trace of contents, with a cache of so many pages. The hint of each request comes from
    /// `hint`, given its index.
    static func faults(
        _ order: EvictionOrder, _ trace: [Int], pages: Int, cost: (Int) -> Double = { _ in 1 },
        hint: (Int) -> ReuseHint? = { _ in nil }
    ) -> [Int] {
        var policy = order.policy(pages: pages)
        var pageOf: [Int: Int32] = [:]
        var contents = [Int?](repeating: nil, count: pages)
        var faults: [Int] = []
        for (index, content) in trace.enumerated() {
            var page = pageOf[content]
            if page == nil {
                faults.append(content)
                if pageOf.count < pages {
                    page = Int32(pageOf.count)
                } else {
                    page = policy.victim()!
                    policy.withdraw(page!)
                    pageOf[contents[Int(page!)]!] = nil
                }
                pageOf[content] = page
                contents[Int(page!)] = content
            }
            policy.use(page!, cost: cost(content), hint: hint(index))
            policy.offer(page!)
        }
        return faults
    }

    /// Belady: whoever is used again last leaves.
    static func optimum(_ trace: [Int], pages: Int) -> Int {
        var next = [Int](repeating: .max, count: trace.count)
        var seen: [Int: Int] = [:]
        for index in trace.indices.reversed() {
            next[index] = seen[trace[index]] ?? .max
            seen[trace[index]] = index
        }
        var cached: [Int: Int] = [:]
        var faults = 0
        for (index, content) in trace.enumerated() {
            if cached[content] == nil {
                faults += 1
                if cached.count == pages { cached[cached.max { $0.value < $1.value }!.key] = nil }
            }
            cached[content] = next[index]
        }
        return faults
    }

    /// For each request whether its content is asked for again in the next phase of the trace: a phase holds as many
    /// different contents as there are pages.
    static func phaseTruth(_ trace: [Int], pages: Int) -> [Bool] {
        var phases: [[Int]] = [[]]
        var seen: Set<Int> = []
        for index in trace.indices {
            if !seen.contains(trace[index]) && seen.count == pages {
                phases.append([])
                seen = []
            }
            seen.insert(trace[index])
            phases[phases.count - 1].append(index)
        }
        var truth = [Bool](repeating: false, count: trace.count)
        for (number, phase) in phases.enumerated() where number + 1 < phases.count {
            let next = Set(phases[number + 1].map { trace[$0] })
            for index in phase { truth[index] = next.contains(trace[index]) }
        }
        return truth
    }

    static let pages = 32

    static var traces: [(name: String, trace: [Int])] {
        var dice = Dice(state: 3)
        let cycle = (0..<20_000).map { $0 % (pages + 1) }
        let uniform = (0..<20_000).map { _ in Int.random(in: 0..<3 * pages, using: &dice) }
        let skewed: [Int] = (0..<20_000).map { _ in
            let a = Double.random(in: 0..<1, using: &dice)
            let b = Double.random(in: 0..<1, using: &dice)
            return Int(Double(8 * pages) * a * b)
        }
        // A working set that moves on, with long scans between: conversations, and a batch job now and then.
        var mixed: [Int] = []
        for round in 0..<400 {
            for _ in 0..<40 { mixed.append(round / 10 * 7 + Int.random(in: 0..<20, using: &dice)) }
            if round % 5 == 0 { for number in 0..<pages { mixed.append(100_000 + round * 1000 + number) } }
        }
        return [("a cycle of one more", cycle), ("uniform", uniform), ("skewed", skewed), ("mixed", mixed)]
    }

    @Test func recencyIsLeastRecentlyUsed() {
        for (name, trace) in Self.traces {
            var list: [Int] = []
            var faults: [Int] = []
            for content in trace {
                if let place = list.firstIndex(of: content) {
                    list.remove(at: place)
                } else {
                    faults.append(content)
                    if list.count == Self.pages { list.removeFirst() }
                }
                list.append(content)
            }
            #expect(Self.faults(.recency, trace, pages: Self.pages) == faults, "\(name)")
            #expect(Self.faults(.cost, trace, pages: Self.pages) == faults, "\(name): equal costs")
        }
    }

    /// Against GreedyDual written out: the credits of all fall by the least one.
    @Test func costsAreWeighed() {
        let cost: (Int) -> Double = { 1 + Double($0 % 7) }
        for (name, trace) in Self.traces {
            var credits: [Int: (credit: Double, use: Int)] = [:]
            var paid = 0.0
            var faults: [Int] = []
            for (index, content) in trace.enumerated() {
                if credits[content] == nil {
                    faults.append(content)
                    if credits.count == Self.pages {
                        let least = credits.min { ($0.value.credit, $0.value.use) < ($1.value.credit, $1.value.use) }!
                        credits[least.key] = nil
                        for key in credits.keys { credits[key]!.credit -= least.value.credit }
                    }
                    paid += cost(content)
                }
                credits[content] = (cost(content), index)
            }
            let measured = Self.faults(.cost, trace, pages: Self.pages, cost: cost)
            #expect(measured == faults, "\(name)")
            #expect(measured.reduce(0) { $0 + cost($1) } == paid)
        }
    }

    /// The bounds are on expectations; lots are drawn from one fixed seed over hundreds of phases.
    @Test func markingKeepsItsBoundWhateverTheHints() {
        let harmonic = (1...Self.pages).reduce(0.0) { $0 + 1 / Double($1) }
        for (name, trace) in Self.traces {
            let best = Self.optimum(trace, pages: Self.pages)
            let truth = Self.phaseTruth(trace, pages: Self.pages)
            func faults(_ hint: (Int) -> ReuseHint?) -> Int {
                Self.faults(.marking, trace, pages: Self.pages, hint: hint).count
            }
            let right = faults { truth[$0] ? .needed : .notNeeded }
            let wrong = faults { truth[$0] ? .notNeeded : .needed }
            let none = faults { _ in nil }
            var dice = Dice(state: 7)
            let half = faults { _ in Bool.random(using: &dice) ? .needed : .notNeeded }
            for (kind, count) in [("right", right), ("wrong", wrong), ("none", none), ("half", half)] {
                #expect(Double(count) <= 2 * harmonic * Double(best) + 64, "\(name), hints \(kind)")
                #expect(count >= best, "\(name), hints \(kind): nobody beats the optimum")
            }
            // Right hints: within twice the optimum (section 4, consistency).
            #expect(right <= 2 * best + Self.pages, "\(name)")
            #expect(right <= wrong, "\(name)")
        }
    }

    /// Where least recently used faults every time, marking does not.
    @Test func aCycleOfOneMoreThanFits() {
        let trace = (0..<20_000).map { $0 % (Self.pages + 1) }
        #expect(Self.faults(.recency, trace, pages: Self.pages).count == trace.count)
        let harmonic = (1...Self.pages).reduce(0.0) { $0 + 1 / Double($1) }
        let marking = Self.faults(.marking, trace, pages: Self.pages).count
        #expect(Double(marking) < 2 * harmonic / Double(Self.pages) * Double(trace.count))
        let truth = Self.phaseTruth(trace, pages: Self.pages)
        let hinted = Self.faults(
            .marking, trace, pages: Self.pages, hint: { truth[$0] ? .needed : .notNeeded }
        ).count
        let best = Self.optimum(trace, pages: Self.pages)
        #expect(hinted <= best + best / 10 && 3 * hinted < 2 * marking, "\(best), \(hinted), \(marking)")
    }

    @Test func lotsAreEven() {
        var policy = EvictionOrder.marking.policy(pages: 32)
        for page in 0..<Int32(32) {
            policy.use(page, cost: 1, hint: nil)
            policy.offer(page)
        }
        var counts = [Int](repeating: 0, count: 32)
        for _ in 0..<3200 { counts[Int(policy.victim()!)] += 1 }
        // 100 each, give or take four deviations.
        #expect(counts.allSatisfy { (60...140).contains($0) }, "\(counts)")
    }

    // MARK: The index

    /// Pages leave children before parents, and only those that nobody uses.
    @Test(arguments: EvictionOrder.allCases) func childrenLeaveBeforeParents(_ order: EvictionOrder) {
        var index = PrefixIndex(pageSize: 16, pageCount: 600, eviction: order, costSlope: 1e-3)
        var dice = Dice(state: 11)
        var chains: [[Int32]] = []
        var parents: [Int32: Int32] = [:]
        var nextPage: Int32 = 0
        for number in 0..<60 {
            // Chains that branch off each other.
            let shared = Int.random(in: 0...4, using: &dice)
            var chain = chains.randomElement(using: &dice).map { Array($0.prefix(shared)) } ?? []
            while chain.count < 8 {
                let place = PrefixIndex.Place(
                    salt: PrefixIndex.Salt(), parent: chain.last ?? -1,
                    tokens: [Int32](repeating: Int32(number), count: 16))
                let entry = index.insert(nextPage, at: place)
                #expect(entry.page == nextPage && entry.isNew)
                parents[nextPage] = chain.last ?? -1
                chain.append(nextPage)
                nextPage += 1
            }
            chains.append(chain)
        }
        let early = index.evict()?.page
        #expect(early == nil, "all are in use")
        let released = Set(chains.prefix(40).joined()).subtracting(chains.suffix(20).joined())
        for page in released.sorted().reversed() { index.letGo(page, hint: nil) }
        #expect(index.unusedCount == released.count)
        var left = Set(parents.keys)
        var evicted = 0
        while let page = index.evict()?.page {
            #expect(released.contains(page))
            left.remove(page)
            #expect(!left.contains { parents[$0] == page }, "a child of page \(page) is still there")
            evicted += 1
        }
        #expect(evicted == released.count)
        #expect(index.violations(isUsed: { _ in true }) == [])
    }
}
