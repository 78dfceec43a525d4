public import Checkpoints
public import Models
public import Tensors

/// What a step of a model must do at least: bytes to read and operations to make, counted from its file.
public struct ModelWork: Sendable {
    /// One matrix that rows are multiplied with.
    public struct Product: Sendable, Hashable {
        public var outputs: Int
        public var inputs: Int
        public var type: ElementType
        /// Times in a step.
        public var count: Int

        var elements: Int { outputs * inputs }
        var bytes: Int { outputs * (type.byteCount(elements: inputs) ?? 0) }
    }

    /// The blocks' matrices, equal ones counted together, in the order in which they first occur.
    public var blocks: [Product] = []
    /// The projection to scores.
    public var head: Product
    /// Bytes of keys and values of one position, over all layers.
    public var cacheBytesOfPosition: Int
    /// Names of the matrices in ``blocks``, and of ``head``, in the file.
    let blockNames: [String]
    let headName: String
    private let windows: [Int?]
    private let cacheBytesByLayer: [Int]

    /// - Parameters:
    ///   - checkpoint: whose matrices the model multiplies with.
    ///   - shape: of the model that was made of it.
    ///   - cacheType: how keys and values are kept.
    public init(_ checkpoint: Checkpoint, shape: ModelShape, cacheType: CacheType) throws {
        var embedding: (product: Product, name: String)?
        var output: (product: Product, name: String)?
        var names: [String] = []
        for name in checkpoint.tensorNames {
            guard let tensor = try checkpoint.tensor(named: name), tensor.shape.count == 2 else { continue }
            let product = Product(outputs: tensor.shape[0], inputs: tensor.shape[1], type: tensor.type, count: 1)
            if Self.outputNames.contains(name) {
                output = (product, name)
            } else if product.outputs == shape.vocabulary && product.inputs == shape.width {
                embedding = (product, name)
            } else if !Self.isPositionTable(name) {
                names.append(name)
                if let index = blocks.firstIndex(where: { $0.isAlike(product) }) {
                    blocks[index].count += 1
                } else {
                    blocks.append(product)
                }
            }
        }
        guard let head = output ?? embedding else {
            throw CheckpointError(file: checkpoint.path, reason: "there is no projection to scores to measure")
        }
        (self.head, headName) = head
        blockNames = names
        windows = shape.windows
        cacheBytesByLayer = shape.cache.map { $0.heads * ($0.keyWidth + $0.valueWidth) * cacheType.bytes }
        cacheBytesOfPosition = cacheBytesByLayer.reduce(0, +)
    }

    private static let outputNames: Set<String> = ["output.weight", "lm_head.weight"]
    private static func isPositionTable(_ name: String) -> Bool {
        name.hasPrefix("position_embd") || name.hasSuffix("wpe.weight")
    }

    /// Bytes of weights that a step reads, each once.
    public var weightBytes: Int { blocks.reduce(head.bytes) { $0 + $1.bytes * $1.count } }

    /// Bytes of keys and values that a row reads which sees `positions` slots.
    public func cacheBytes(positions: Int) -> Int {
        zip(cacheBytesByLayer, windows).reduce(0) { $0 + $1.0 * min(positions, $1.1 ?? positions) }
    }

    /// Multiply-adds, counted as two operations each, of a step: those on bytes and those on floats.
    ///
    /// - Parameters:
    ///   - rows: rows of the step.
    ///   - outputs: rows whose scores are wanted.
    public func operations(rows: Int, outputs: Int) -> (bytes: Double, floats: Double) {
        var result = (bytes: 0.0, floats: 0.0)
        func add(_ product: Product, _ rows: Int) {
            let operations = 2 * Double(product.elements) * Double(product.count) * Double(rows)
            if product.type.isQuantized { result.bytes += operations } else { result.floats += operations }
        }
        for product in blocks { add(product, rows) }
        add(head, outputs)
        return result
    }
}

extension ModelWork.Product {
    fileprivate func isAlike(_ other: Self) -> Bool {
        outputs == other.outputs && inputs == other.inputs && type == other.type
    }
}

/// A measured step beside what the machine's limits allow it.
public struct LimitShare: Sendable, Equatable {
    /// Seconds that reading takes at least, over the seconds it took.
    public var read: Double
    /// Seconds that the arithmetic of the matrix products takes at least, over the seconds it took.
    public var peak: Double

    /// The nearer limit's.
    public var nearer: Double { max(read, peak) }

    /// - Parameters:
    ///   - seconds: that the step took, above 0.
    ///   - bytes: that it must read.
    ///   - operations: of its products, on bytes and on floats.
    ///   - limits: of the machine at that time.
    public init(seconds: Double, bytes: Double, operations: (bytes: Double, floats: Double), limits: Limits) {
        read = bytes / (limits.read.median * 1e9) / seconds
        peak =
            (operations.bytes / (limits.dot.median * 1e9) + operations.floats / (limits.fma.median * 1e9)) / seconds
    }
}
