/// Randomized marking with a one-bit hint (Paging with Succinct Predictions, Antoniadis and others 2023, phase predictions).
///
/// A used page is marked. Who leaves is drawn by lot among the unmarked pages that were said not to be needed, else among
/// all unmarked ones. Where all are marked, a new phase begins: no page is. With right hints it comes close to the
/// offline optimum; with any hints at all it stays within marking's logarithmic bound, since only unmarked
/// pages leave. O(1).
package struct Marking: EvictionPolicy {
    private struct State {
        /// The phase in which it was last used.
        var phase = 0
        var hint: ReuseHint?
        /// Where it stands among the pages on offer; −1 for nowhere.
        var place = -1
        var list = 0
    }

    private var states: [State]
    private var phase = 1
    /// Pages on offer: unmarked and said not to be needed, other unmarked ones, marked ones of the same two kinds.
    private var lists: [[Int32]] = [[], [], [], []]
    private var dice: UInt64 = 0x5DEE_CE66_D1CE_CAFE

    package init(pages: Int) { states = Array(repeating: State(), count: pages) }

    package mutating func use(_ page: Int32, cost: Double, hint: ReuseHint?) {
        let isOffered = states[Int(page)].place >= 0
        if isOffered { withdraw(page) }
        states[Int(page)].phase = phase
        states[Int(page)].hint = hint
        if isOffered { offer(page) }
    }

    package mutating func offer(_ page: Int32) {
        guard states[Int(page)].place < 0 else { return }
        let isMarked = states[Int(page)].phase == phase
        let list = (isMarked ? 2 : 0) + (states[Int(page)].hint == .notNeeded ? 0 : 1)
        states[Int(page)].list = list
        states[Int(page)].place = lists[list].count
        lists[list].append(page)
    }

    package mutating func withdraw(_ page: Int32) {
        let state = states[Int(page)]
        guard state.place >= 0 else { return }
        let last = lists[state.list].removeLast()
        if last != page {
            lists[state.list][state.place] = last
            states[Int(last)].place = state.place
        }
        states[Int(page)].place = -1
    }

    package mutating func victim() -> Int32? {
        if lists[0].isEmpty && lists[1].isEmpty {
            guard !lists[2].isEmpty || !lists[3].isEmpty else { return nil }
            phase += 1
            for list in 0..<2 {
                lists.swapAt(list, list + 2)
                for page in lists[list] { states[Int(page)].list = list }
            }
        }
        let list = lists[0].isEmpty ? lists[1] : lists[0]
        return list[draw(list.count)]
    }

    /// A number of 0..<count (SplitMix64).
    private mutating func draw(_ count: Int) -> Int {
        dice &+= 0x9E37_79B9_7F4A_7C15
        var z = (dice ^ dice >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return Int((((z ^ z >> 31) >> 32) &* UInt64(count)) >> 32)
    }
}
