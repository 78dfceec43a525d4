/// Pages by priority, the lowest at the top; a page's place is known, so any page can leave. O(log pages) an operation.
struct PageHeap {
    /// Compared by `value`, then by `order`.
    struct Priority: Comparable {
        var value = 0.0
        var order: UInt64 = 0

        static func < (a: Priority, b: Priority) -> Bool { (a.value, a.order) < (b.value, b.order) }
    }

    private var heap: [Int32] = []
    /// Where each page stands in the heap; −1 for nowhere.
    private var places: [Int32]
    private var priorities: [Priority]

    init(pages: Int) {
        places = Array(repeating: -1, count: pages)
        priorities = Array(repeating: Priority(), count: pages)
    }

    var top: Int32? { heap.first }

    /// A page's priority; setting it moves the page where it stands in the heap.
    subscript(page: Int32) -> Priority {
        get { priorities[Int(page)] }
        set {
            priorities[Int(page)] = newValue
            let place = Int(places[Int(page)])
            if place >= 0 { settle(place) }
        }
    }

    mutating func insert(_ page: Int32) {
        guard places[Int(page)] < 0 else { return }
        places[Int(page)] = Int32(heap.count)
        heap.append(page)
        settle(heap.count - 1)
    }

    mutating func remove(_ page: Int32) {
        let place = Int(places[Int(page)])
        guard place >= 0 else { return }
        places[Int(page)] = -1
        let last = heap.removeLast()
        guard place < heap.count else { return }
        heap[place] = last
        places[Int(last)] = Int32(place)
        settle(place)
    }

    private func precedes(_ a: Int, _ b: Int) -> Bool { priorities[Int(heap[a])] < priorities[Int(heap[b])] }

    private mutating func swap(_ a: Int, _ b: Int) {
        heap.swapAt(a, b)
        places[Int(heap[a])] = Int32(a)
        places[Int(heap[b])] = Int32(b)
    }

    /// Moves the page at a place up or down to where it belongs.
    private mutating func settle(_ start: Int) {
        var place = start
        while place > 0, precedes(place, (place - 1) / 2) {
            swap(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
        while true {
            var least = place
            for child in [2 * place + 1, 2 * place + 2] where child < heap.count && precedes(child, least) {
                least = child
            }
            if least == place { return }
            swap(place, least)
            place = least
        }
    }
}
