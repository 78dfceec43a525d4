/// How keys and values lie in a cache's pages, and how exactly: part of the answer's definition. The plain layout keeps every
/// number; compressed ones and those that drop slots are other implementations of the same two protocols.
///
/// Law 3 binds each: what a query at position p reads of position q may depend on p, q, the tokens and the layout alone. Then
/// pages can be shared, moved and computed again, and the engine needs to know nothing else.
public protocol CacheLayout: Sendable {
    /// Distinguishes layouts wherever pages outlive an engine: equal names mean equal bytes.
    var name: String { get }

    /// Bytes that one page takes over all layers.
    func pageBytes(_ layers: [CacheLayerShape], pageSize: Int) -> Int

    /// The memory of a cache; nil where the system refuses that much.
    func allocate(_ layers: [CacheLayerShape], pageSize: Int, pageCount: Int) -> (any PagedCache)?
}

/// The memory behind the pages of a cache: a page holds `pageSize` positions of every layer. Layers store into it and attend
/// over it, one call for all rows of a step; the engine counts its pages and moves their bytes.
public protocol PagedCache: AnyObject {
    var pageSize: Int { get }
    var pageCount: Int { get }
    /// Bytes of one page over all layers.
    var pageBytes: Int { get }

    /// Takes in each row's keys and values ([rows, heads × width]) of a layer, at the row's slot.
    func store(keys: Rows, values: Rows, batch: BatchRows, layer: Int, _ ops: Ops)

    /// Attention of each row over the slots it may read; see ``Ops/attention(_:batch:cache:layer:window:scale:softCap:into:)``
    /// for what the arguments mean.
    func attend(
        _ queries: Rows, batch: BatchRows, layer: Int, window: Int?, scale: Float, softCap: Float, into out: Rows,
        _ ops: Ops)

    /// Copies all layers of a page: the copy of copy-on-write.
    func copyPage(_ source: Int, to target: Int)

    /// Gives a page's memory back to the system where that is possible; its contents are lost.
    func discard(_ page: Int)

    /// A page's bytes, for moving it to another tier and back: all that the page is.
    func pageContents(_ page: Int) -> UnsafeMutableRawBufferPointer
}

/// Every number kept, in one of three formats.
public struct PlainLayout: CacheLayout {
    public var type: CacheType

    public init(_ type: CacheType) { self.type = type }

    public var name: String { type.rawValue }

    public func pageBytes(_ layers: [CacheLayerShape], pageSize: Int) -> Int {
        CacheStorage.pageBytes(layers: layers, pageSize: pageSize, type: type)
    }

    public func allocate(_ layers: [CacheLayerShape], pageSize: Int, pageCount: Int) -> (any PagedCache)? {
        CacheStorage(layers: layers, pageSize: pageSize, pageCount: pageCount, type: type)
    }
}

extension CacheStorage: PagedCache {
    public func store(keys: Rows, values: Rows, batch: BatchRows, layer: Int, _ ops: Ops) {
        ops.store(keys: keys, values: values, batch: batch, cache: self, layer: layer)
    }

    public func attend(
        _ queries: Rows, batch: BatchRows, layer: Int, window: Int?, scale: Float, softCap: Float, into out: Rows,
        _ ops: Ops
    ) {
        ops.attention(
            queries, batch: batch, cache: self, layer: layer, window: window, scale: scale, softCap: softCap, into: out)
    }
}

/// What a layout reads of a step's rows.
extension BatchRows {
    /// Where a row's keys and values go: a page of the cache and a slot in it.
    public func place(of row: Int, pageSize: Int) -> (page: Int, slot: Int) {
        let slot = Int(cacheRows(window: nil)[row].slot)
        return (page(slot / pageSize, of: row), slot % pageSize)
    }

    /// The slots of its sequence that a row may read.
    public func visible(to row: Int, window: Int?) -> Range<Int> {
        precondition(row >= 0 && row < count)
        let row = cacheRows(window: window)[row]
        return Int(row.low)..<Int(row.high)
    }

    /// A page of a row's sequence by its index there.
    public func page(_ index: Int, of row: Int) -> Int {
        precondition(row >= 0 && row < count)
        return Int(cacheRows(window: nil)[row].pages[index])
    }
}
