public import Tensors

/// Writes a GGUF file of version 3, little-endian: the header at once, then each tensor's bytes as they are made.
///
/// The file appears under its name when ``finish()`` returns; a writer that goes before that, or fails, leaves
/// nothing behind and whatever had the name untouched.
public struct GGUFWriter: ~Copyable {
    /// What the header says of a tensor.
    public struct TensorInfo: Sendable {
        public var name: String
        /// Outermost dimension first, 1 to 4 dimensions, each at least 1.
        public var shape: [Int]
        public var type: ElementType

        public init(name: String, shape: [Int], type: ElementType) {
            self.name = name
            self.shape = shape
            self.type = type
        }
    }

    private var sink: TensorSink

    /// Writes the header.
    ///
    /// - Parameters:
    ///   - path: The file, which appears when it is whole.
    ///   - metadata: Keys and values in order. `general.alignment`, where it is there, sets the alignment of the
    ///     tensors' data; without it that is 32.
    ///   - tensors: All tensors of the file, in the order in which their bytes will come.
    /// - Throws: ``CheckpointError`` where the format does not allow a key, a value, a name or a shape, or where no
    ///   file can be written at `path`.
    public init(
        path: String, metadata: [(key: String, value: GGUFValue)], tensors: [TensorInfo]
    ) throws(CheckpointError) {
        try self.init(file: AtomicFile(path: path), metadata: metadata, tensors: tensors)
    }

    package init(
        file: AtomicFile, metadata: [(key: String, value: GGUFValue)], tensors: [TensorInfo]
    ) throws(CheckpointError) {
        var encoder = GGUFEncoder(file: file.path)
        let parts = try encoder.header(metadata: metadata, tensors: tensors)
        try file.appendArray(encoder.bytes)
        sink = TensorSink(file: file, parts: parts)
    }

    /// Adds bytes to a tensor. They may come in pieces; tensors come in the order of the header.
    ///
    /// - Throws: ``CheckpointError`` where another tensor is due, these are more bytes than the tensor has, or the
    ///   disk is full.
    public mutating func append(_ bytes: UnsafeRawBufferPointer, to tensor: String) throws(CheckpointError) {
        try sink.append(bytes, to: tensor)
    }

    /// Completes the file and puts it in its place.
    ///
    /// - Throws: ``CheckpointError`` where a tensor lacks bytes or the file cannot be made durable.
    public consuming func finish() throws(CheckpointError) {
        try sink.finish()
    }
}

/// The header of a GGUF file as bytes.
private struct GGUFEncoder {
    let file: String
    var bytes: [UInt8] = []

    init(file: String) { self.file = file }

    private func failure(tensor: String? = nil, _ field: String, _ reason: String) -> CheckpointError {
        CheckpointError(file: file, tensor: tensor, field: field, reason: reason)
    }

    private mutating func put<T: FixedWidthInteger>(_ value: T) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    private mutating func put(string: some Collection<UInt8>) {
        put(UInt64(string.count))
        bytes.append(contentsOf: string)
    }

    mutating func header(
        metadata: [(key: String, value: GGUFValue)], tensors: [GGUFWriter.TensorInfo]
    ) throws(CheckpointError) -> [TensorSink.Part] {
        guard tensors.count <= GGUFLimits.countLimit, metadata.count <= GGUFLimits.countLimit else {
            throw failure(
                "tensor count",
                "\(tensors.count) tensors and \(metadata.count) metadata pairs: at most \(GGUFLimits.countLimit) of each"
            )
        }
        bytes = GGUFLimits.magic
        put(UInt32(3))
        put(UInt64(tensors.count))
        put(UInt64(metadata.count))
        var alignment = GGUFLimits.defaultAlignment
        var keys: Set<String> = []
        for (key, value) in metadata {
            guard (1...GGUFLimits.nameBytes).contains(key.utf8.count), keys.insert(key).inserted else {
                throw failure(key, "a metadata key must occur once and have 1 to \(GGUFLimits.nameBytes) bytes")
            }
            if key == "general.alignment" { alignment = try self.alignment(value) }
            put(string: key.utf8)
            put(value.type.rawValue)
            try put(value, key, depth: 1)
        }
        return try put(tensors, alignment: alignment)
    }

    private func alignment(_ value: GGUFValue) throws(CheckpointError) -> Int {
        guard case .uint32(let alignment) = value, alignment.nonzeroBitCount == 1,
            alignment <= GGUFLimits.alignmentLimit
        else {
            throw failure(
                "general.alignment", "it must be a uint32 and a power of two from 1 to \(GGUFLimits.alignmentLimit)")
        }
        return Int(alignment)
    }

    private mutating func put(_ value: GGUFValue, _ key: String, depth: Int) throws(CheckpointError) {
        switch value {
        case .uint8(let value): put(value)
        case .int8(let value): put(value)
        case .uint16(let value): put(value)
        case .int16(let value): put(value)
        case .uint32(let value): put(value)
        case .int32(let value): put(value)
        case .uint64(let value): put(value)
        case .int64(let value): put(value)
        case .float32(let value): put(value.bitPattern)
        case .float64(let value): put(value.bitPattern)
        case .bool(let value): put(value ? 1 as UInt8 : 0)
        case .string(let value): put(string: value)
        case .array(let element, let values):
            guard depth <= GGUFLimits.arrayDepth else {
                throw failure(key, "its arrays nest deeper than \(GGUFLimits.arrayDepth)")
            }
            put(element.rawValue)
            put(UInt64(values.count))
            for (index, value) in values.enumerated() {
                guard value.type == element else {
                    throw failure(key, "element \(index) is of type \(value.type.name) in an array of \(element.name)")
                }
                try put(value, key, depth: depth + 1)
            }
        }
    }

    private mutating func put(
        _ tensors: [GGUFWriter.TensorInfo], alignment: Int
    ) throws(CheckpointError) -> [TensorSink.Part] {
        var names: Set<String> = []
        var parts: [TensorSink.Part] = []
        var offset = 0
        for tensor in tensors {
            guard (1...GGUFLimits.nameBytes).contains(tensor.name.utf8.count), names.insert(tensor.name).inserted else {
                throw failure(
                    tensor: tensor.name, "name",
                    "a tensor's name must occur once and have 1 to \(GGUFLimits.nameBytes) bytes")
            }
            guard GGUFLimits.dimensions.contains(tensor.shape.count), tensor.shape.allSatisfy({ $0 > 0 }),
                tensor.shape.last! % tensor.type.blockSize == 0, let elements = elementCount(tensor.shape),
                let byteCount = tensor.type.byteCount(elements: elements),
                let end = GGUFLimits.align(byteCount, to: alignment), !offset.addingReportingOverflow(end).overflow
            else {
                throw failure(
                    tensor: tensor.name, "shape",
                    "\(tensor.shape) of \(tensor.type.name) must be 1 to 4 dimensions of at least 1, with rows of whole "
                        + "blocks of \(tensor.type.blockSize), and not too large")
            }
            put(string: tensor.name.utf8)
            put(UInt32(tensor.shape.count))
            for dimension in tensor.shape.reversed() { put(UInt64(dimension)) }
            put(tensor.type.rawValue)
            put(UInt64(offset))
            parts.append(TensorSink.Part(name: tensor.name, byteCount: byteCount, padding: end - byteCount))
            offset += end
        }
        let padding = GGUFLimits.align(bytes.count, to: alignment)! - bytes.count
        bytes.append(contentsOf: repeatElement(0, count: padding))
        return parts
    }
}
