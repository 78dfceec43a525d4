internal import CKernels

#if canImport(Glibc)
    internal import Glibc
#endif

/// A weight laid out for products: panels of 32 outputs, so that outputs are lanes and a panel is one stream of memory.
/// A view: the bytes belong to a ``PanelStorage``.
public struct PackedWeight: @unchecked Sendable {
    public let type: ElementType
    public let outputs: Int
    public let inputs: Int
    let base: UnsafePointer<UInt8>
    /// Which input the weight's first column multiplies, which its second, and so on; nil where each is in its place.
    var order: UnsafePointer<Int32>?

    /// Bytes of the panels.
    public var bytes: Int { Self.bytes(type: type, outputs: outputs, inputs: inputs) }

    var panels: Int { (outputs + Int(APUS_PANEL) - 1) / Int(APUS_PANEL) }
    var panelBytes: Int64 { apus_panel_bytes(Int32(type.rawValue), Int64(inputs)) }

    static func bytes(type: ElementType, outputs: Int, inputs: Int) -> Int {
        (outputs + Int(APUS_PANEL) - 1) / Int(APUS_PANEL) * Int(apus_panel_bytes(Int32(type.rawValue), Int64(inputs)))
    }

    /// Formats of one number read the same of an input.
    var preparation: Int32 { apus_preparation(Int32(type.rawValue)) }

    /// Whether products with both read an input the same way.
    func sharesInput(with other: PackedWeight) -> Bool { preparation == other.preparation && order == other.order }

    func part(into out: Rows) -> apus_product_part {
        apus_product_part(
            panels: base, panel_bytes: panelBytes, panel_count: Int64(panels), inputs: Int64(inputs),
            type: Int32(type.rawValue), out: out.base, out_stride: Int64(out.stride))
    }
}

/// Owns the panels of a model's weights: made while the model loads, read-only afterwards.
///
/// Panels come one after another, in the order in which an architecture asks for them, so that a file of all of them
/// can stand in for the work of making them (``PanelFile``).
public final class PanelStorage: @unchecked Sendable {
    /// Bytes of panels so far.
    public private(set) var bytes = 0
    private let pool: WorkerPool?
    private let pack: apus_operation
    private var chunks: [UnsafeMutableRawBufferPointer] = []
    private var used = 0
    private let file: PanelFile?
    private var isFileShort = false
    private var sequence = ContentHash()

    /// - Parameters:
    ///   - threads: how many threads lay panels out; 0 to lay out nothing: a model for its sizes alone.
    ///   - file: panels made earlier for the same checkpoint.
    public init(threads: Int, file: PanelFile? = nil) {
        pool = threads > 0 && file == nil ? WorkerPool(threads: threads) : nil
        pack = KernelTable.available[0].pointer.pointee.pack
        self.file = file
    }

    private var orders: [UnsafeMutableBufferPointer<Int32>] = []

    deinit {
        for chunk in chunks { munmap(chunk.baseAddress, chunk.count) }
        for order in orders { order.deallocate() }
    }

    /// Whether ``pack(_:)`` reads weights: not where a file has their panels, and not for sizes alone.
    public var readsWeights: Bool { pool != nil }

    /// Lays a weight out. Whoever uses the result keeps the storage.
    ///
    /// - Parameter order: which input each column multiplies, a permutation of 0 ..< inputs; nil where each is in its place.
    /// - Complexity: O(bytes), shared by the storage's threads; O(1) where weights are not read.
    public func pack(_ weight: Weight, order: [Int32]? = nil) -> PackedWeight {
        let packed = place(type: weight.type, outputs: weight.outputs, inputs: weight.inputs, order: order)
        if let pool {
            var arguments = apus_pack_arguments(
                weight: weight.cWeight, panels: UnsafeMutablePointer(mutating: packed.base),
                panel_bytes: packed.panelBytes)
            withUnsafePointer(to: &arguments) { pool.run(pack, $0, items: packed.panels, grain: 1) }
        }
        return packed
    }

    /// Where the panels of the next weight lie: in the file, or in memory that is still to be filled.
    public func place(type: ElementType, outputs: Int, inputs: Int, order: [Int32]? = nil) -> PackedWeight {
        let size = PackedWeight.bytes(type: type, outputs: outputs, inputs: inputs)
        sequence.add("\(type.rawValue) \(outputs) \(inputs)")
        var base = UnsafePointer(Self.nothing)
        if let file {
            if let found = file.panels(at: bytes, count: size) { base = found } else { isFileShort = true }
        } else if readsWeights {
            base = UnsafePointer(allocate(size))
        }
        bytes += roundedUp(size, to: Self.alignment)
        return PackedWeight(type: type, outputs: outputs, inputs: inputs, base: base, order: order.map(keep))
    }

    /// Weights of one input share their order, so that products can share what they prepare of it.
    private func keep(_ order: [Int32]) -> UnsafePointer<Int32> {
        if let known = orders.last(where: { $0.elementsEqual(order) }) { return UnsafePointer(known.baseAddress!) }
        let kept = UnsafeMutableBufferPointer<Int32>.allocate(capacity: order.count)
        _ = kept.initialize(from: order)
        orders.append(kept)
        return UnsafePointer(kept.baseAddress!)
    }

    /// Whether the file held just what was asked for; otherwise what came from it is of no use.
    public var fileMatches: Bool { !isFileShort && (file?.matches(bytes, sequence.value) ?? true) }

    /// Writes all panels for the next start.
    public func write(to path: String, identity: SIMD4<UInt64>) throws(PanelFileError) {
        try PanelFile.write(self, sequence: sequence.value, identity: identity, to: path)
    }

    /// Every panel's bytes in order, as a ``PanelFile`` holds them.
    func forEachPiece(_ body: (UnsafeRawBufferPointer) -> Void) {
        for (index, chunk) in chunks.enumerated() {
            let count = index == chunks.count - 1 ? used : filled[index]
            body(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(chunk)[..<count]))
        }
    }

    /// Where weights lie that nobody multiplies with.
    private nonisolated(unsafe) static let nothing = UnsafeMutablePointer<UInt8>.allocate(capacity: 64)
    static let alignment = 64
    private static let largePage = 2 << 20
    /// Bytes in use of every chunk but the last.
    private var filled: [Int] = []

    private func allocate(_ size: Int) -> UnsafeMutablePointer<UInt8> {
        let size = roundedUp(size, to: Self.alignment)
        if chunks.isEmpty || chunks[chunks.count - 1].count - used < size {
            if !chunks.isEmpty { filled.append(used) }
            chunks.append(Self.map(max(size, 64 << 20)))
            used = 0
        }
        defer { used += size }
        return (chunks[chunks.count - 1].baseAddress! + used).assumingMemoryBound(to: UInt8.self)
    }

    /// Memory in large pages where the system has them: a product streams through all of it in every step.
    private static func map(_ size: Int) -> UnsafeMutableRawBufferPointer {
        // What prefetching reads past the last panel is only touched, never used; it need not exist.
        let size = roundedUp(size, to: largePage)
        let address = mmap(
            nil, size + largePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let address, address != MAP_FAILED else { fatalError("out of memory: \(size) bytes for weights") }
        let skipped = roundedUp(Int(bitPattern: address), to: largePage) - Int(bitPattern: address)
        if skipped > 0 { munmap(address, skipped) }
        if skipped < largePage { munmap(address + skipped + size, largePage - skipped) }
        madvise(address + skipped, size, MADV_HUGEPAGE)
        return UnsafeMutableRawBufferPointer(start: address + skipped, count: size)
    }
}
