internal import CKernels

#if canImport(Glibc)
    internal import Glibc
#endif

/// How keys and values are stored.
public enum CacheType: String, Sendable, CaseIterable {
    case f32, f16, bf16

    var cType: Int32 {
        switch self {
        case .f32: Int32(APUS_F32)
        case .f16: Int32(APUS_F16)
        case .bf16: Int32(APUS_BF16)
        }
    }
    public var bytes: Int { self == .f32 ? 4 : 2 }
}

/// What one layer keeps of every position.
public struct CacheLayerShape: Sendable, Equatable {
    public var heads: Int
    public var keyWidth: Int
    public var valueWidth: Int

    public init(heads: Int, keyWidth: Int, valueWidth: Int) {
        self.heads = heads
        self.keyWidth = keyWidth
        self.valueWidth = valueWidth
    }

    fileprivate func keyBytes(slots: Int, type: CacheType) -> Int { heads * keyWidth * slots * type.bytes }
    fileprivate func valueBytes(slots: Int, type: CacheType) -> Int {
        heads * roundedUp(valueWidth, to: 16) * slots * type.bytes
    }
}

/// The memory behind the pages of the cache: a page holds `pageSize` positions of every layer.
///
/// Memory is reserved at once and touched page by page, so an unused page costs no physical memory.
public final class CacheStorage {
    public let pageSize: Int
    public let pageCount: Int
    public let type: CacheType
    public let layerCount: Int
    /// Bytes of one page over all layers.
    public let pageBytes: Int
    private var layers: [apus_cache_layer] = []
    private let mapping: UnsafeMutableRawPointer
    private let mappedBytes: Int

    /// Bytes that one page takes over all layers.
    public static func pageBytes(layers: [CacheLayerShape], pageSize: Int, type: CacheType) -> Int {
        layers.reduce(0) {
            $0 + roundedUp($1.keyBytes(slots: pageSize, type: type), to: 64)
                + roundedUp($1.valueBytes(slots: pageSize, type: type), to: 64)
        }
    }

    /// Reserves memory, or returns nil where the system refuses that much.
    ///
    /// - Parameters:
    ///   - shapes: what each layer keeps of a position.
    ///   - pageSize: positions in a page: 16, 32, 64, … any multiple of 16.
    ///   - pageCount: pages, at least 1; each has room in all layers.
    ///   - type: how numbers are stored.
    public init?(layers shapes: [CacheLayerShape], pageSize: Int, pageCount: Int, type: CacheType) {
        precondition(pageSize > 0 && pageSize % 16 == 0 && pageCount > 0)
        self.pageSize = pageSize
        self.pageCount = pageCount
        self.type = type
        layerCount = shapes.count
        pageBytes = Self.pageBytes(layers: shapes, pageSize: pageSize, type: type)
        let (total, overflow) = pageBytes.multipliedReportingOverflow(by: pageCount)
        guard !overflow else { return nil }
        mappedBytes = max(total, 1)
        let address = mmap(nil, mappedBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let address, address != MAP_FAILED else { return nil }
        mapping = address
        // A page's parts lie together, so that moving a page is one copy.
        var offset = 0
        for shape in shapes {
            var layer = apus_cache_layer()
            layer.keys = (address + offset).assumingMemoryBound(to: UInt8.self)
            offset += roundedUp(shape.keyBytes(slots: pageSize, type: type), to: 64)
            layer.values = (address + offset).assumingMemoryBound(to: UInt8.self)
            offset += roundedUp(shape.valueBytes(slots: pageSize, type: type), to: 64)
            layer.key_page_bytes = Int64(pageBytes)
            layer.value_page_bytes = Int64(pageBytes)
            layer.page_size = Int32(pageSize)
            layer.heads = Int32(shape.heads)
            layer.key_dim = Int32(shape.keyWidth)
            layer.value_dim = Int32(shape.valueWidth)
            layer.type = type.cType
            layers.append(layer)
        }
    }

    deinit { munmap(mapping, mappedBytes) }

    func layer(_ index: Int) -> apus_cache_layer { layers[index] }

    /// Copies all layers of a page: the copy of copy-on-write.
    public func copyPage(_ source: Int, to target: Int) {
        precondition(source >= 0 && source < pageCount && target >= 0 && target < pageCount)
        (mapping + target * pageBytes).copyMemory(from: mapping + source * pageBytes, byteCount: pageBytes)
    }

    /// Gives a page's memory back to the system; its contents are lost. Costs nothing again until it is next written.
    public func discard(_ page: Int) {
        precondition(page >= 0 && page < pageCount)
        let unit = sysconf(Int32(_SC_PAGESIZE))
        let (begin, end) = (roundedUp(page * pageBytes, to: unit), (page + 1) * pageBytes / unit * unit)
        if begin < end { madvise(mapping + begin, end - begin, MADV_DONTNEED) }
    }

    /// A page's bytes, for moving it to another tier and back.
    public func pageContents(_ page: Int) -> UnsafeMutableRawBufferPointer {
        precondition(page >= 0 && page < pageCount)
        return UnsafeMutableRawBufferPointer(start: mapping + page * pageBytes, count: pageBytes)
    }
}

/// The pages of one sequence, in order, at an address that stays put while the sequence lives.
public final class PageList {
    private let base: UnsafeMutablePointer<Int32>
    public let capacity: Int
    public private(set) var count = 0

    /// - Parameter capacity: the most pages the sequence can ever need.
    public init(capacity: Int) {
        self.capacity = max(capacity, 1)
        base = .allocate(capacity: self.capacity)
    }

    deinit { base.deallocate() }

    public subscript(index: Int) -> Int32 {
        get {
            precondition(index >= 0 && index < count)
            return base[index]
        }
        set {
            precondition(index >= 0 && index < count)
            base[index] = newValue
        }
    }

    public func append(_ page: Int32) {
        precondition(count < capacity)
        base[count] = page
        count += 1
    }

    public func removeLast() -> Int32 {
        precondition(count > 0)
        count -= 1
        return base[count]
    }

    /// Lists that begin with the same pages stand next to each other in this order.
    public static func precedes(_ a: PageList, _ b: PageList) -> Bool {
        for index in 0..<min(a.count, b.count) where a.base[index] != b.base[index] {
            return a.base[index] < b.base[index]
        }
        return a.count < b.count
    }

    var pointer: UnsafePointer<Int32> { UnsafePointer(base) }
}
