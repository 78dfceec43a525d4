internal import Checkpoints
internal import Tensors

/// The sizes that nearly every decoder states, read from either header and checked against each other.
struct Hyperparameters {
    var layers: Int
    var width: Int
    var feedForward: Int
    var heads: Int
    var cacheHeads: Int
    var headWidth: Int
    var context: Int
    var epsilon: Float
    /// The sliding window as the header states it; an architecture decides which layers use it.
    var window: Int?

    /// - Parameter epsilonKeys: where the norm's ε stands, in GGUF and in config.json, and its default there.
    init(
        _ source: ModelSource, keys: Keys = Keys(), headWidth defaultHeadWidth: Int? = nil
    ) throws(CheckpointError) {
        layers = try source.int(gguf: "block_count", keys.layers, in: 1...10_000)
        width = try source.int(gguf: "embedding_length", keys.width, in: 1...1_000_000)
        heads = try source.int(gguf: "attention.head_count", keys.heads, in: 1...100_000)
        cacheHeads = try source.int(gguf: "attention.head_count_kv", "num_key_value_heads") ?? heads
        feedForward = try source.int(gguf: "feed_forward_length", keys.feedForward) ?? 4 * width
        context = try source.int(gguf: "context_length", keys.context, in: 1...(1 << 30))
        guard cacheHeads > 0, cacheHeads <= heads, heads % cacheHeads == 0 else {
            throw source.failure(
                gguf: "attention.head_count_kv", "num_key_value_heads",
                "\(cacheHeads) does not divide the \(heads) query heads")
        }
        guard (1...10_000_000).contains(feedForward) else {
            throw source.failure(gguf: "feed_forward_length", keys.feedForward, "\(feedForward) is not allowed")
        }
        if let stated = try source.int(gguf: "attention.key_length", "head_dim") ?? defaultHeadWidth {
            headWidth = stated
        } else {
            guard width % heads == 0 else {
                throw source.failure(
                    gguf: "attention.head_count", keys.heads, "\(heads) heads do not divide the width \(width)")
            }
            headWidth = width / heads
        }
        guard (1...4096).contains(headWidth), headWidth * heads <= 10_000_000 else {
            throw source.failure(gguf: "attention.key_length", "head_dim", "\(headWidth) is not allowed")
        }
        let stated = try source.double(gguf: keys.ggufEpsilon, keys.epsilon) ?? keys.defaultEpsilon
        guard let stated, stated >= 0, stated < 1 else {
            throw source.failure(gguf: keys.ggufEpsilon, keys.epsilon, "the value is missing or not in 0..<1")
        }
        epsilon = Float(stated)
        window = try source.int(gguf: "attention.sliding_window", "sliding_window")
        if let size = window, size <= 0 {
            if source.isGGUF, size == 0 {
                window = nil
            } else {
                throw source.failure(gguf: "attention.sliding_window", "sliding_window", "\(size) is not positive")
            }
        }
    }

    /// The names that differ between families.
    struct Keys {
        var layers = "num_hidden_layers"
        var width = "hidden_size"
        var heads = "num_attention_heads"
        var feedForward = "intermediate_size"
        var context = "max_position_embeddings"
        var epsilon = "rms_norm_eps"
        var ggufEpsilon = "attention.layer_norm_rms_epsilon"
        var defaultEpsilon: Double? = 1e-6
    }

    /// The model's shape, once the vocabulary is known.
    func shape(
        _ architecture: String, vocabulary: Int, windows: [Int?], rotations: [Rotation], source: ModelSource
    ) -> ModelShape {
        let layer = CacheLayerShape(heads: cacheHeads, keyWidth: headWidth, valueWidth: headWidth)
        return ModelShape(
            architecture: architecture, layers: layers, width: width, vocabulary: vocabulary, context: context,
            heads: heads, headWidth: headWidth, feedForward: feedForward,
            cache: Array(repeating: layer, count: layers), windows: windows, rotations: rotations.map(\.half),
            parameters: source.parameters, weightBytes: source.checkpoint.weightBytes)
    }
}
