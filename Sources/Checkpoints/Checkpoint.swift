public import Tensors

/// The two families of model files.
public enum CheckpointKind: String, Sendable {
    /// One `.gguf` file, or the parts of a split one: weights, configuration and vocabulary together.
    case gguf
    /// Weights in `.safetensors` files, with `config.json` and the tokenizer's files beside them.
    case huggingFace
}

/// A model on disk: its named weights, mapped and not copied, and what describes them.
///
/// Immutable; the tensors' bytes stay valid for as long as this object, or the ``Tensor/file`` of the tensor, lives.
/// Hold one of them in a variable that outlives every pointer (`withExtendedLifetime` where in doubt).
public final class Checkpoint: Sendable {
    /// A weight as it lies in its file.
    public struct Tensor: @unchecked Sendable {
        /// The name as in the file.
        public let name: String
        /// Outermost dimension first: `[outputs, inputs]` for a projection. The last dimension is contiguous, and
        /// quantized blocks run along it. A GGUF file names its dimensions the other way round.
        public let shape: [Int]
        /// How its numbers are stored.
        public let type: ElementType
        /// `type.byteCount(elements:)` of the shape's product. The address may be unaligned in safetensors files.
        public let bytes: UnsafeRawBufferPointer
        /// What keeps ``bytes`` valid.
        public let file: MappedFile
        /// Where ``bytes`` lie in ``file``, for ``MappedFile/willNeed(_:)`` and ``MappedFile/dontNeed(_:)``.
        public let range: Range<Int>
    }

    /// A tensor of any type, including those that are not read as weights: packed integers, masks, 8-bit floats.
    public struct RawTensor: @unchecked Sendable {
        /// The name as in the file.
        public let name: String
        /// Outermost dimension first. Empty for a scalar of a safetensors file; a dimension there may be 0.
        public let shape: [Int]
        /// The type as the file's format calls it: `I32`, `F8_E4M3`, `Q4_K`.
        public let dtypeName: String
        /// Its elements, row by row, little-endian. The address may be unaligned.
        public let bytes: UnsafeRawBufferPointer
        /// What keeps ``bytes`` valid.
        public let file: MappedFile
        /// Where ``bytes`` lie in ``file``.
        public let range: Range<Int>

        /// Reads the bytes once, in order, in pieces of 16 MB whose memory is given back before the next: a file may be larger than
        /// the machine's memory, and its pages count as the process's.
        public func stream<E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> Void) throws(E) {
            for start in stride(from: 0, to: bytes.count, by: 16 << 20) {
                let end = min(start + (16 << 20), bytes.count)
                try body(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
                file.dontNeed(range.lowerBound + start..<range.lowerBound + end)
            }
        }
    }

    /// Which family of files this is.
    public let kind: CheckpointKind
    /// The name of the file or folder, without extension and part numbers.
    public let name: String
    /// The path as it was given to ``open(_:)``.
    public let path: String
    /// Every tensor, in the order of the files and of the bytes or header within each.
    public let tensorNames: [String]
    /// The metadata of a GGUF file; of its first part where it is split.
    public let gguf: GGUFMetadata?
    /// `config.json`, where there is one.
    public let config: HuggingFaceConfig?
    /// `generation_config.json`, where there is one.
    public let generationConfig: HuggingFaceConfig?
    /// How quantized weights lie in a folder; nil where config.json says nothing of it.
    public let quantization: QuantizationLayout?
    /// Bytes of all tensors together.
    public let weightBytes: Int
    /// Elements of all tensors together, as stored: a packed integer counts once.
    public let parameterCount: Int

    private let entries: [String: (record: TensorRecord, file: MappedFile)]
    private let folder: String?

    /// - Parameter parts: The tensors of each file, in order.
    init(
        kind: CheckpointKind, name: String, path: String, folder: String?,
        parts: [(file: MappedFile, tensors: [TensorRecord])],
        gguf: GGUFMetadata? = nil, config: HuggingFaceConfig? = nil, generationConfig: HuggingFaceConfig? = nil
    ) throws(CheckpointError) {
        var entries: [String: (record: TensorRecord, file: MappedFile)] = [:]
        var names: [String] = []
        for part in parts {
            for record in part.tensors {
                if let other = entries.updateValue((record, part.file), forKey: record.name) {
                    throw CheckpointError(
                        file: part.file.path, tensor: record.name, field: "name",
                        reason: "this tensor is also in \(other.file.path); the files do not belong together")
                }
                names.append(record.name)
            }
        }
        self.kind = kind
        self.name = name
        self.path = path
        self.folder = folder
        self.entries = entries
        tensorNames = names
        self.gguf = gguf
        self.config = config
        self.generationConfig = generationConfig
        quantization = if let config { try QuantizationLayout(config) } else { nil }
        // Ranges lie within files and do not overlap, and an element takes at least half a byte: no sum overflows.
        weightBytes = entries.values.reduce(0) { $0 + $1.record.range.count }
        parameterCount = entries.values.reduce(0) { $0 + $1.record.count }
    }

    /// What tells this checkpoint from others as far as a glance shows: names, sizes and times of its files, and its tensors.
    ///
    /// - Complexity: O(tensors); no weight is read.
    public func glance() -> SIMD4<UInt64> {
        var hash = ContentHash()
        var seen: Set<String> = []
        for name in tensorNames {
            guard let (record, file) = entries[name] else { continue }
            if seen.insert(file.path).inserted {
                hash.add("\(file.path.split(separator: "/").last ?? "") \(file.bytes.count) \(file.modified)")
            }
            hash.add("\(name) \(record.typeName) \(record.shape) \(record.range)")
        }
        return hash.value
    }

    /// Elements, as stored, of the tensors whose names begin so, the biases aside.
    package func elements(under prefix: String) -> Int {
        entries.reduce(0) { $1.key.hasPrefix(prefix) && !$1.key.hasSuffix("bias") ? $0 + $1.value.record.count : $0 }
    }

    /// Gives back the memory of all pages of the files; touched again, they are read from disk again.
    public func releasePages() {
        var seen: Set<String> = []
        for (_, file) in entries.values where seen.insert(file.path).inserted { file.dontNeed(0..<file.bytes.count) }
    }

    /// The weight of this name, or nil where there is none.
    ///
    /// - Throws: ``CheckpointError`` where there is one whose type is not read as a weight; ``rawTensor(named:)``
    ///   returns it.
    /// - Complexity: O(1).
    public func tensor(named name: String) throws(CheckpointError) -> Tensor? {
        guard let (record, file) = entries[name] else { return nil }
        guard let type = record.type else {
            throw CheckpointError(
                file: file.path, tensor: name, field: "dtype",
                reason:
                    "\(record.typeName) is not read as a weight (F32, F16 and BF16 are); convert the model to one of them"
            )
        }
        return Tensor(
            name: name, shape: record.shape, type: type,
            bytes: UnsafeRawBufferPointer(rebasing: file.bytes[record.range]),
            file: file, range: record.range)
    }

    /// The tensor of this name, whatever its type, or nil where there is none.
    public func rawTensor(named name: String) -> RawTensor? {
        guard let (record, file) = entries[name] else { return nil }
        return RawTensor(
            name: name, shape: record.shape, dtypeName: record.typeName,
            bytes: UnsafeRawBufferPointer(rebasing: file.bytes[record.range]), file: file, range: record.range)
    }

    /// The weight of this name.
    ///
    /// - Parameters:
    ///   - name: As the file spells it.
    ///   - shape: What it must be, outermost dimension first, or nil for any.
    /// - Throws: ``CheckpointError`` where it is missing (with the nearest names there are), has another shape, or
    ///   is no weight.
    public func require(_ name: String, shape: [Int]? = nil) throws(CheckpointError) -> Tensor {
        guard let tensor = try tensor(named: name) else {
            throw CheckpointError(
                file: path, tensor: name,
                reason: "this tensor is missing\(suggestion(for: name, among: tensorNames))")
        }
        if let shape, shape != tensor.shape {
            throw CheckpointError(
                file: tensor.file.path, tensor: name, field: "shape",
                reason: "it is \(tensor.shape), and the configuration calls for \(shape)")
        }
        return tensor
    }

    /// The contents of a small file beside the weights, such as `tokenizer.json`, `tokenizer.model`,
    /// `tokenizer_config.json`, `chat_template.jinja` or `special_tokens_map.json`; nil where there is none.
    ///
    /// Always nil for a GGUF file: what else lies in its folder need not belong to it.
    ///
    /// - Throws: ``CheckpointError`` where the file is there but cannot be read, has more than 1 GiB, or `name` is
    ///   not a plain file name.
    public func folderFile(named name: String) throws(CheckpointError) -> [UInt8]? {
        guard !name.isEmpty, !name.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 == 0 }) else {
            throw CheckpointError(file: name, reason: "this is not the plain name of a file in the model's folder")
        }
        guard kind == .huggingFace, let folder else { return nil }
        let path = Folder.join(folder, name)
        guard Folder.exists(path) else { return nil }
        let file = try MappedFile(path: path)
        guard file.bytes.count <= 1 << 30 else {
            throw CheckpointError(file: path, reason: "it has \(file.bytes.count) bytes; at most \(1 << 30) are read")
        }
        return file.copy()
    }
}
