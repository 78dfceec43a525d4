/// The page whose last use is longest ago leaves. O(log pages).
package struct LeastRecentlyUsed: EvictionPolicy {
    private var heap: PageHeap
    private var uses: UInt64 = 0

    package init(pages: Int) { heap = PageHeap(pages: pages) }

    package mutating func use(_ page: Int32, cost: Double, hint: ReuseHint?) {
        uses += 1
        heap[page] = PageHeap.Priority(order: uses)
    }

    package mutating func offer(_ page: Int32) { heap.insert(page) }
    package mutating func withdraw(_ page: Int32) { heap.remove(page) }
    package mutating func victim() -> Int32? { heap.top }
}
