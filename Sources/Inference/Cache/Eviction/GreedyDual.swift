/// Last use and cost to rebuild in one number (GreedyDual-Size, Cao and Irani 1997, for pages of one size): a used page gets
/// the level plus its cost, the page with the least leaves, and its number is the new level. With equal costs it is
/// least recently used; a page that costs twice as much survives twice the rise of the level. O(log pages).
package struct GreedyDual: EvictionPolicy {
    private var heap: PageHeap
    private var level = 0.0
    private var uses: UInt64 = 0

    package init(pages: Int) { heap = PageHeap(pages: pages) }

    package mutating func use(_ page: Int32, cost: Double, hint: ReuseHint?) {
        uses += 1
        heap[page] = PageHeap.Priority(value: level + cost, order: uses)
    }

    package mutating func offer(_ page: Int32) { heap.insert(page) }
    package mutating func withdraw(_ page: Int32) { heap.remove(page) }

    package mutating func victim() -> Int32? {
        guard let page = heap.top else { return nil }
        level = max(level, heap[page].value)
        return page
    }
}
