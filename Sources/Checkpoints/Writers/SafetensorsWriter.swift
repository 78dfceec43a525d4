/// Writes a safetensors file: the header at once, then each tensor's bytes as they are made.
///
/// The file appears under its name when ``finish()`` returns; a writer that goes before that, or fails, leaves
/// nothing behind and whatever had the name untouched.
public struct SafetensorsWriter: ~Copyable {
    /// What the header says of a tensor.
    public struct TensorInfo: Sendable {
        public var name: String
        /// Outermost dimension first. Empty for a scalar; a dimension may be 0.
        public var shape: [Int]
        public var type: SafetensorsType

        public init(name: String, shape: [Int], type: SafetensorsType) {
            self.name = name
            self.shape = shape
            self.type = type
        }
    }

    private var sink: TensorSink

    /// Writes the header, padded so that the data starts at a multiple of 8.
    ///
    /// - Parameters:
    ///   - path: The file, which appears when it is whole.
    ///   - tensors: All tensors of the file, in the order in which their bytes will come. Tensors with wide elements
    ///     first keep every tensor aligned.
    ///   - metadata: Texts for `__metadata__`, such as `format` = `pt`, which some readers insist on.
    /// - Throws: ``CheckpointError`` where the format does not allow a name or a shape, or where no file can be
    ///   written at `path`.
    public init(
        path: String, tensors: [TensorInfo], metadata: [(key: String, value: String)] = [("format", "pt")]
    ) throws(CheckpointError) {
        try self.init(file: AtomicFile(path: path), tensors: tensors, metadata: metadata)
    }

    package init(
        file: AtomicFile, tensors: [TensorInfo], metadata: [(key: String, value: String)]
    ) throws(CheckpointError) {
        func failure(_ tensor: String?, _ field: String, _ reason: String) -> CheckpointError {
            CheckpointError(file: file.path, tensor: tensor, field: field, reason: reason)
        }
        var members: [String] = []
        var keys: Set<String> = []
        for (key, _) in metadata {
            guard keys.insert(key).inserted else { throw failure(nil, key, "this metadata key occurs twice") }
        }
        if !metadata.isEmpty {
            let texts = metadata.map { Self.quoted($0.key) + ":" + Self.quoted($0.value) }
            members.append("\"\(SafetensorsFile.metadataKey)\":{\(texts.joined(separator: ","))}")
        }
        var names: Set<String> = [SafetensorsFile.metadataKey]
        var parts: [TensorSink.Part] = []
        var offset = 0
        for tensor in tensors {
            guard !tensor.name.isEmpty, names.insert(tensor.name).inserted else {
                throw failure(
                    tensor.name, "name",
                    "a tensor's name must occur once, not be empty and not be \(SafetensorsFile.metadataKey)")
            }
            guard tensor.shape.count <= SafetensorsFile.dimensionLimit, tensor.shape.allSatisfy({ $0 >= 0 }),
                let elements = elementCount(tensor.shape), let byteCount = tensor.type.byteCount(elements: elements),
                !offset.addingReportingOverflow(byteCount).overflow
            else {
                throw failure(
                    tensor.name, "shape",
                    "\(tensor.shape) of \(tensor.type.rawValue) must have no negative dimension, fill whole bytes and not be too large"
                )
            }
            members.append(
                "\(Self.quoted(tensor.name)):{\"dtype\":\"\(tensor.type.rawValue)\",\"shape\":"
                    + "[\(tensor.shape.map(String.init).joined(separator: ","))],\"data_offsets\":[\(offset),\(offset + byteCount)]}"
            )
            parts.append(TensorSink.Part(name: tensor.name, byteCount: byteCount, padding: 0))
            offset += byteCount
        }
        var header = Array("{\(members.joined(separator: ","))}".utf8)
        header.append(contentsOf: repeatElement(0x20, count: (8 - header.count % 8) % 8))
        guard header.count <= SafetensorsFile.headerLimit else {
            throw failure(
                nil, "header length",
                "it would be \(header.count) bytes; at most \(SafetensorsFile.headerLimit) are allowed")
        }
        try file.appendArray(withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) })
        try file.appendArray(header)
        sink = TensorSink(file: file, parts: parts)
    }

    /// Adds bytes to a tensor. They may come in pieces; tensors come in the order of the header, and those without
    /// bytes may be left out.
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

    /// A JSON string.
    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
