public import Checkpoints
public import Tensors

#if canImport(Glibc)
    internal import Glibc
#endif

/// A model of a published shape with random weights, as a GGUF file like any other.
///
/// What it says is noise; how fast it says it is what a trained model of this shape and format does. The file has a
/// vocabulary of bytes and made-up words, so that other engines open it too.
public struct RandomModel: Sendable {
    public var size: ModelSize
    public var format: ElementType

    /// - Parameters:
    ///   - size: the shape.
    ///   - format: of the matrices; vectors are F32.
    public init(size: ModelSize, format: ElementType) {
        self.size = size
        self.format = format
    }

    /// `random-llama-1b-q8_0.gguf`
    public var fileName: String { "random-\(size.name)-\(format.name.lowercased()).gguf" }

    /// The format of rows of `inputs` elements: the model's own, or where its blocks do not divide the row the nearest
    /// larger one with blocks of 32, which is what other writers of GGUF take too.
    public func format(ofRow inputs: Int) -> ElementType {
        guard inputs % format.blockSize != 0 else { return format }
        if let parts = format.groupFormat, let group = GroupFormat.group(dividing: parts.group, inputs: inputs),
            let smaller = GroupFormat(parts.coding, group: group, scale: parts.scale, zeroPoints: parts.hasZeroPoints)
        {
            return .group(smaller)
        }
        switch format {
        case .q2_K, .q3_K: return .q4_0
        case .iq4_XS: return .iq4_NL
        case .q4_K: return .q5_0
        case .q5_K: return .q5_1
        default: return .q8_0
        }
    }

    /// Formats other than ``format`` that some matrix has, with the width of its rows.
    public var exceptions: [(inputs: Int, format: ElementType)] {
        let widths = Set(size.tensors.filter { !$0.isVector }.map(\.inputs)).sorted()
        return widths.map { (inputs: $0, format: format(ofRow: $0)) }.filter { $0.format != format }
    }

    private func type(of tensor: ModelSize.Tensor) -> ElementType {
        tensor.isVector ? .f32 : format(ofRow: tensor.inputs)
    }

    /// Bytes of all tensors.
    public var weightBytes: Int {
        size.tensors.reduce(0) { $0 + $1.outputs * type(of: $1).byteCount(elements: $1.inputs)! }
    }

    /// Bytes of one file, closely: the tensors and the vocabulary.
    public var fileBytes: Int { weightBytes + 24 * size.vocabulary + (1 << 16) }

    /// Writes the file; it appears when it is whole.
    ///
    /// - Parameters:
    ///   - path: where.
    ///   - progress: gets the bytes of tensors written so far.
    /// - Throws: `CheckpointError` where it cannot be written.
    public func write(to path: String, progress: (Int) -> Void = { _ in }) throws(CheckpointError) {
        let tensors = size.tensors
        let infos = tensors.map { GGUFWriter.TensorInfo(name: $0.name, shape: $0.shape, type: type(of: $0)) }
        var writer = try GGUFWriter(path: path, metadata: metadata, tensors: infos)
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 4 << 20, alignment: 64)
        defer { room.deallocate() }
        var written = 0
        for (index, tensor) in tensors.enumerated() {
            let type = type(of: tensor)
            var left = tensor.outputs * type.byteCount(elements: tensor.inputs)!
            let most = room.count / type.blockBytes * type.blockBytes
            var weights = RandomWeights(type: type, deviation: tensor.deviation ?? 0.1, seed: UInt64(index + 1))
            while left > 0 {
                let part = UnsafeMutableRawBufferPointer(rebasing: room[..<min(left, most)])
                weights.fill(part)
                if tensor.deviation == nil { raise(part) }
                try writer.append(UnsafeRawBufferPointer(part), to: tensor.name)
                left -= part.count
                written += part.count
                progress(written)
            }
        }
        try writer.finish()
    }

    /// A norm's weights lie around 1.
    private func raise(_ floats: UnsafeMutableRawBufferPointer) {
        for at in stride(from: 0, to: floats.count, by: 4) {
            floats.storeBytes(of: floats.load(fromByteOffset: at, as: Float.self) + 1, toByteOffset: at, as: Float.self)
        }
    }

    private var metadata: [(key: String, value: GGUFValue)] {
        let name = size.architecture
        var pairs: [(key: String, value: GGUFValue)] = [
            ("general.architecture", .string(name)),
            ("general.name", .string("random \(size.name)")),
            ("general.file_type", .uint32(fileType)),
            ("\(name).block_count", .uint32(UInt32(size.layers))),
            ("\(name).context_length", .uint32(UInt32(size.context))),
            ("\(name).embedding_length", .uint32(UInt32(size.width))),
            ("\(name).feed_forward_length", .uint32(UInt32(size.feedForward))),
            ("\(name).attention.head_count", .uint32(UInt32(size.heads))),
            ("\(name).attention.head_count_kv", .uint32(UInt32(size.cacheHeads))),
            ("\(name).attention.key_length", .uint32(UInt32(size.headWidth))),
            ("\(name).attention.value_length", .uint32(UInt32(size.headWidth))),
            ("\(name).attention.layer_norm_rms_epsilon", .float32(size.epsilon)),
            ("\(name).rope.freq_base", .float32(size.rotationBase)),
            ("\(name).vocab_size", .uint32(UInt32(size.vocabulary))),
        ]
        if name == "llama" { pairs.append(("llama.rope.dimension_count", .uint32(UInt32(size.headWidth)))) }
        return pairs + vocabulary
    }

    /// The number by which GGUF files say what most of their tensors are.
    private var fileType: UInt32 {
        switch format {
        case .f32: 0
        case .f16: 1
        case .q4_0: 2
        case .q4_1: 3
        case .q8_0: 7
        case .q5_0: 8
        case .q5_1: 9
        case .q2_K: 10
        case .q3_K: 11
        case .q4_K: 14
        case .q5_K: 16
        case .q6_K: 18
        case .iq4_NL: 25
        case .iq4_XS: 30
        case .bf16: 32
        case .mxfp4: 38
        case .group: 1024
        }
    }

    /// 256 bytes under their names in byte-level BPE, then made-up words.
    private var vocabulary: [(key: String, value: GGUFValue)] {
        var names: [[UInt8]] = []
        var extra: UInt32 = 256
        for byte in UInt32(0)..<256 {
            let isPrintable = (33...126).contains(byte) || (161...172).contains(byte) || byte >= 174
            let scalar = Unicode.Scalar(isPrintable ? byte : extra)!
            if !isPrintable { extra += 1 }
            names.append(Array(String(scalar).utf8))
        }
        names.append(Array("zz".utf8))
        for number in names.count..<size.vocabulary { names.append(Array("word\(number)".utf8)) }
        return [
            ("tokenizer.ggml.model", .string("gpt2")),
            ("tokenizer.ggml.pre", .string("gpt-2")),
            ("tokenizer.ggml.tokens", .array(of: .string, names.map { .string($0) })),
            ("tokenizer.ggml.token_type", .array(of: .int32, names.map { _ in .int32(1) })),
            ("tokenizer.ggml.merges", .array(of: .string, [.string("z z")])),
            ("tokenizer.ggml.bos_token_id", .uint32(0)),
            ("tokenizer.ggml.eos_token_id", .uint32(0)),
        ]
    }
}

/// Formats that a random model can have, by the name `--format` takes: GGUF's, and those made of parts (`int4-g128`, `nf4-g64`).
public enum WeightFormats {
    public static let names = ElementType.allCases.map { $0.name.lowercased() }
    /// Those made of parts with half-precision scales; zero points (`int4-g128-zp`) and other scales (`nf4-g64-f32`) are known too.
    public static let namesOfParts = GroupFormat.Coding.allCases.flatMap { coding in
        GroupFormat.groups.compactMap { GroupFormat(coding, group: $0)?.name.lowercased() }
    }

    /// - Throws: ``BenchmarkError/unknownFormat(_:)`` where no format has the name.
    public static func named(_ name: String) throws(BenchmarkError) -> ElementType {
        guard let type = ElementType(name: name), type.rowHeaderBytes == 0 else { throw .unknownFormat(name) }
        return type
    }
}
