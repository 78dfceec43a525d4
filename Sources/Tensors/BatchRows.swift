internal import CKernels

/// The rows of one step: for each its token, its position, its slot in the cache and the slots it may read.
/// Allocated once for the largest step, refilled for each.
public final class BatchRows {
    public let capacity: Int
    public private(set) var count = 0
    let tokens: UnsafeMutablePointer<Int32>
    let positions: UnsafeMutablePointer<Int32>
    let variants: UnsafeMutablePointer<Int32>
    private let cache: UnsafeMutablePointer<apus_cache_row>
    private let windowed: UnsafeMutablePointer<apus_cache_row>
    private var window = 0
    private let tileStarts: UnsafeMutablePointer<Int32>
    private var tileCount = 0
    private var tileRows = 0

    public init(capacity: Int) {
        self.capacity = capacity
        tokens = .allocate(capacity: capacity)
        positions = .allocate(capacity: capacity)
        variants = .allocate(capacity: capacity)
        cache = .allocate(capacity: capacity)
        windowed = .allocate(capacity: capacity)
        tileStarts = .allocate(capacity: capacity + 1)
    }

    deinit {
        tokens.deallocate()
        positions.deallocate()
        variants.deallocate()
        cache.deallocate()
        windowed.deallocate()
        tileStarts.deallocate()
    }

    public func removeAll() {
        count = 0
        window = 0
        tileRows = 0
    }

    /// Adds a row.
    ///
    /// - Parameters:
    ///   - token: an id of the vocabulary.
    ///   - position: where the token stands in its sequence; the rotation depends on it.
    ///   - slot: where its keys and values go, an index into the sequence's pages.
    ///   - visible: one past the last slot it may read: `slot + 1` for a causal row.
    ///   - variant: the rotation variant of its sequence.
    ///   - pages: the sequence's pages; must cover `visible` and stay alive through the step.
    public func append(token: Int32, position: Int, slot: Int, visible: Int, variant: Int, pages: PageList) {
        precondition(count < capacity && slot < visible)
        tileRows = 0
        tokens[count] = token
        positions[count] = Int32(position)
        variants[count] = Int32(variant)
        cache[count] = apus_cache_row(pages: pages.pointer, slot: Int32(slot), low: 0, high: Int32(visible))
        count += 1
    }

    /// Rows next to each other that begin with the same page, at most `rows` together: attention reads what they share once.
    /// How rows are put together never changes a bit.
    ///
    /// - Returns: where each tile begins, and after the last one the number of rows; and how many tiles there are.
    func tiles(rows: Int) -> (starts: UnsafePointer<Int32>, count: Int) {
        if tileRows != rows {
            tileCount = 0
            for row in 0..<count {
                let first = tileCount == 0 ? 0 : Int(tileStarts[tileCount - 1])
                if row == 0 || row - first == rows || cache[row].pages[0] != cache[first].pages[0] {
                    tileStarts[tileCount] = Int32(row)
                    tileCount += 1
                }
            }
            tileStarts[tileCount] = Int32(count)
            tileRows = rows
        }
        return (UnsafePointer(tileStarts), tileCount)
    }

    public var tokenIDs: UnsafeBufferPointer<Int32> { UnsafeBufferPointer(start: tokens, count: count) }

    /// The rows as a layer sees them: all earlier slots, or with a window only those less than `window` positions back.
    func cacheRows(window: Int?) -> UnsafePointer<apus_cache_row> {
        guard let window else { return UnsafePointer(cache) }
        if self.window != window {
            for row in 0..<count {
                windowed[row] = cache[row]
                windowed[row].low = max(0, cache[row].slot + 1 - Int32(window))
            }
            self.window = window
        }
        return UnsafePointer(windowed)
    }
}
