/// Merges the symbols of one piece in order of rank, the leftmost first among equals (Sennrich, Haddow and Birch,
/// "Neural Machine Translation of Rare Words with Subword Units", 2016, section 3.2). Short pieces are searched in
/// full after each merge; long ones keep a heap: O(n log n).
struct BytePairMerger {
    static let shortLimit = 48

    private var ranks: [UInt64] = []
    private var previous: [Int32] = []
    private var following: [Int32] = []
    private var heap: [UInt64] = []

    /// Merges `symbols` in place. Symbols for which `isFrozen` is given and true take no part.
    mutating func merge(_ symbols: inout [Int32], _ table: MergeTable) {
        if symbols.count < 2 { return }
        if symbols.count <= Self.shortLimit { mergeShort(&symbols, table) } else { mergeLong(&symbols, table) }
    }

    private mutating func mergeShort(_ symbols: inout [Int32], _ table: MergeTable) {
        var count = symbols.count
        if ranks.count < Self.shortLimit { ranks = [UInt64](repeating: 0, count: Self.shortLimit) }
        symbols.withUnsafeMutableBufferPointer { symbols in
            ranks.withUnsafeMutableBufferPointer { ranks in
                for index in 0..<count - 1 { ranks[index] = table.value(symbols[index], symbols[index + 1]) }
                while count > 1 {
                    var best = MergeTable.none
                    var place = 0
                    for index in 0..<count - 1 where ranks[index] >> 32 < best >> 32 {
                        best = ranks[index]
                        place = index
                    }
                    if best == MergeTable.none { break }
                    symbols[place] = Int32(truncatingIfNeeded: best)
                    count -= 1
                    for index in place + 1..<max(count, place + 1) {
                        symbols[index] = symbols[index + 1]
                        if index < count - 1 { ranks[index] = ranks[index + 1] }
                    }
                    if place < count - 1 { ranks[place] = table.value(symbols[place], symbols[place + 1]) }
                    if place > 0 { ranks[place - 1] = table.value(symbols[place - 1], symbols[place]) }
                }
            }
        }
        symbols.removeLast(symbols.count - count)
    }

    private mutating func mergeLong(_ symbols: inout [Int32], _ table: MergeTable) {
        let count = symbols.count
        precondition(count < Int(Int32.max), "pieces are cut before they grow so long")
        previous = (0..<Int32(count)).map { $0 - 1 }
        following = (1...Int32(count)).map { $0 }
        ranks = [UInt64](repeating: MergeTable.none, count: count)
        heap.removeAll(keepingCapacity: true)
        // A heap entry is rank << 32 | position; it is stale where the pair at its position has another rank by then.
        for index in 0..<count - 1 {
            let value = table.value(symbols[index], symbols[index + 1])
            ranks[index] = value
            if value != MergeTable.none { heap.append(value & ~0xFFFF_FFFF | UInt64(index)) }
        }
        var index = heap.count / 2
        while index > 0 {
            index -= 1
            siftDown(index)
        }
        while let top = heap.first {
            popTop()
            let place = Int(top & 0xFFFF_FFFF)
            let value = ranks[place]
            guard value != MergeTable.none, value >> 32 == top >> 32 else { continue }
            let right = Int(following[place])
            symbols[place] = Int32(truncatingIfNeeded: value)
            ranks[right] = MergeTable.none
            symbols[right] = -1
            let after = Int(following[right])
            following[place] = Int32(after)
            if after < count { previous[after] = Int32(place) }
            refresh(place, after < count ? after : nil, symbols, table)
            let before = Int(previous[place])
            if before >= 0 { refresh(before, place, symbols, table) }
        }
        symbols.removeAll { $0 == -1 }
    }

    private mutating func refresh(_ place: Int, _ next: Int?, _ symbols: [Int32], _ table: MergeTable) {
        guard let next else {
            ranks[place] = MergeTable.none
            return
        }
        let value = table.value(symbols[place], symbols[next])
        ranks[place] = value
        if value != MergeTable.none { push(value & ~0xFFFF_FFFF | UInt64(place)) }
    }

    private mutating func push(_ entry: UInt64) {
        heap.append(entry)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child] < heap[parent] else { break }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    private mutating func popTop() {
        let last = heap.removeLast()
        guard !heap.isEmpty else { return }
        heap[0] = last
        siftDown(0)
    }

    private mutating func siftDown(_ start: Int) {
        var parent = start
        while true {
            var child = parent * 2 + 1
            guard child < heap.count else { return }
            if child + 1 < heap.count, heap[child + 1] < heap[child] { child += 1 }
            guard heap[child] < heap[parent] else { return }
            heap.swapAt(child, parent)
            parent = child
        }
    }
}
