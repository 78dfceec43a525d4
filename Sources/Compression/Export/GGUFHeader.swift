internal import Apus
internal import Checkpoints
internal import Models
internal import Tensors

/// The metadata of a GGUF file for a model that lies in a folder: sizes, rotation and tokenizer under the names that readers of
/// the format look for.
struct GGUFHeader {
    let files: ModelFiles
    let shape: ModelShape
    private let config: HuggingFaceConfig

    init(_ files: ModelFiles, _ shape: ModelShape) throws {
        self.files = files
        self.shape = shape
        guard let whole = files.checkpoint.config else {
            throw CompressionError("\(files.checkpoint.path): there is no config.json beside the weights")
        }
        config = try whole.object(ifPresent: "text_config") ?? whole
    }

    /// Llama's and Mistral's files both call themselves `llama`.
    var architecture: String { shape.architecture == "mistral" ? "llama" : shape.architecture }

    /// Whether the rows of queries and keys are reordered so that neighbours turn together.
    var pairsNeighbours: Bool { architecture == "llama" }

    /// - Returns: keys and values, and vectors that belong to the rotation.
    func metadata(_ name: String) throws -> (values: [(key: String, value: GGUFValue)], vectors: [String: [Float]]) {
        var values: [(key: String, value: GGUFValue)] = [
            ("general.architecture", .string(architecture)), ("general.type", .string("model")),
            ("general.name", .string(name)), ("general.quantization_version", .uint32(2)),
        ]
        func put(_ key: String, _ value: Int) {
            values.append((key: "\(architecture).\(key)", value: .uint32(UInt32(value))))
        }
        func put(_ key: String, _ value: Double) {
            values.append((key: "\(architecture).\(key)", value: .float32(Float(value))))
        }
        put("block_count", shape.layers)
        put("context_length", shape.context)
        put("embedding_length", shape.width)
        put("feed_forward_length", shape.feedForward)
        put("attention.head_count", shape.heads)
        put("attention.head_count_kv", shape.cache[0].heads)
        put("vocab_size", shape.vocabulary)
        if architecture == "gpt2" {
            put("attention.layer_norm_epsilon", try config.double(ifPresent: "layer_norm_epsilon") ?? 1e-5)
            return (values + (try tokenizer()), [:])
        }
        put("attention.layer_norm_rms_epsilon", try config.double(ifPresent: "rms_norm_eps") ?? 1e-6)
        put("attention.key_length", shape.headWidth)
        put("attention.value_length", shape.headWidth)
        put("rope.dimension_count", 2 * shape.rotations[0])
        if architecture.hasPrefix("gemma") || architecture == "phi3" {
            if let window = shape.windows.compactMap({ $0 }).first { put("attention.sliding_window", window) }
        } else if shape.windows.contains(where: { $0 != nil && $0! < shape.context }) {
            throw CompressionError(
                "\(files.checkpoint.path): its layers look back \(shape.windows.compactMap { $0 }.first ?? 0) tokens, which a "
                    + "GGUF file of architecture \(architecture) cannot say; write a folder instead of a .gguf file")
        }
        for key in ["attn_logit_softcapping", "final_logit_softcapping"] {
            if let cap = try config.double(ifPresent: key) { put(key, cap) }
        }
        let vectors = try rotation { put($0, $1) }
        return (values + (try tokenizer()), vectors)
    }

    private func tokenizer() throws -> [(key: String, value: GGUFValue)] {
        try GGUFTokenizerExport(files, rows: shape.vocabulary).metadata()
    }

    private func rotation(_ put: (String, Double) -> Void) throws -> [String: [Float]] {
        var scaling = try config.object(ifPresent: "rope_parameters") ?? config.object(ifPresent: "rope_scaling")
        if let full = try scaling?.object(ifPresent: "full_attention") { scaling = full }
        let inner = try scaling?.double(ifPresent: "rope_theta")
        let base = try inner ?? config.double(ifPresent: "rope_theta") ?? (architecture == "gemma3" ? 1e6 : 1e4)
        put("rope.freq_base", base)
        let kind = try scaling?.string(ifPresent: "rope_type") ?? scaling?.string(ifPresent: "type") ?? "default"
        guard let scaling, kind != "default" else { return [:] }
        guard kind == "llama3" else {
            throw CompressionError(
                "\(files.checkpoint.path): a rotation scaled by '\(kind)' is not written to GGUF files; write a folder instead of "
                    + "a .gguf file")
        }
        // The scaling as a factor of each frequency (Llama 3.1): what the file's readers divide by.
        let factor = try scaling.double("factor")
        let (low, high) = (try scaling.double("low_freq_factor"), try scaling.double("high_freq_factor"))
        let original = Double(try scaling.int("original_max_position_embeddings"))
        let half = shape.rotations[0]
        return [
            "rope_freqs.weight": (0..<half).map { index in
                let frequency = 1 / ScalarMath.pow(base, Double(index) / Double(half))
                let length = 2 * Double.pi / frequency
                if length > original / low { return Float(factor) }
                if length < original / high { return 1 }
                let blend = (original / length - low) / (high - low)
                return Float(1 / ((1 - blend) / factor + blend))
            }
        ]
    }

    /// Where each row of a projection of queries or keys comes from: a head's first half and second half take turns.
    static func neighbours(heads: Int, headWidth: Int) -> [Int] {
        (0..<heads * headWidth).map { row in
            let (head, place) = (row / headWidth, row % headWidth)
            return head * headWidth + place % 2 * (headWidth / 2) + place / 2
        }
    }

    /// The number that says which type most weights have, as `general.file_type` states it.
    static func fileType(_ type: ElementType) -> UInt32 {
        switch type {
        case .f32: 0
        case .f16: 1
        case .q4_0: 2
        case .q4_1: 3
        case .q8_0: 7
        case .q5_0: 8
        case .q5_1: 9
        case .q2_K: 10
        case .q3_K: 12
        case .q4_K: 15
        case .q5_K: 17
        case .q6_K: 18
        case .iq4_NL: 25
        case .iq4_XS: 30
        case .bf16: 32
        case .mxfp4: 38
        default: 1024
        }
    }
}
