/// The sizes of a published model, from which one with random weights is made.
public struct ModelSize: Sendable, Equatable {
    /// As `--shape` takes it.
    public var name: String
    /// The model with these sizes.
    public var example: String
    /// `llama`, `qwen2` or `qwen3`.
    public var architecture: String
    public var layers: Int
    public var width: Int
    public var feedForward: Int
    public var heads: Int
    public var cacheHeads: Int
    public var headWidth: Int
    public var vocabulary: Int
    /// Positions that the file allows: the model's own; more in the smallest, so that long prompts can be measured in a short time.
    public var context: Int
    public var rotationBase: Float
    public var epsilon: Float = 1e-5
    /// Whether the projection to scores is the embedding.
    public var isTied = true

    /// Whether Q and K are normalised by head, and whether Q, K and V have biases.
    var hasHeadNorms: Bool { architecture == "qwen3" }
    var hasBiases: Bool { architecture == "qwen2" }

    /// Parameters of the model as its file counts them.
    public var parameters: Int { tensors.reduce(0) { $0 + $1.outputs * $1.inputs } }

    /// A tensor of the file. A vector has one output.
    struct Tensor {
        var name: String
        var outputs = 1
        var inputs: Int
        /// Standard deviation of its elements; nil for a norm, which lies around 1.
        var deviation: Float?

        var isVector: Bool { !name.hasSuffix(".weight") || deviation == nil }
        var shape: [Int] { isVector ? [inputs] : [outputs, inputs] }
    }

    /// Every tensor in the order of the file. The deviations keep hidden states of the size that trained models have.
    var tensors: [Tensor] {
        let (queries, keys) = (heads * headWidth, cacheHeads * headWidth)
        func around(_ inputs: Int, _ factor: Float = 1) -> Float { factor / Float(inputs).squareRoot() }
        var all = [Tensor(name: "token_embd.weight", outputs: vocabulary, inputs: width, deviation: around(width, 2))]
        for layer in 0..<layers {
            func matrix(_ part: String, _ outputs: Int, _ inputs: Int, _ factor: Float = 1) {
                all.append(
                    Tensor(
                        name: "blk.\(layer).\(part).weight", outputs: outputs, inputs: inputs,
                        deviation: around(inputs, factor)))
            }
            func norm(_ part: String, _ width: Int) {
                all.append(Tensor(name: "blk.\(layer).\(part).weight", inputs: width, deviation: nil))
            }
            func bias(_ part: String, _ width: Int) {
                all.append(Tensor(name: "blk.\(layer).\(part).bias", inputs: width, deviation: 0.1))
            }
            norm("attn_norm", width)
            matrix("attn_q", queries, width, 1.2)
            matrix("attn_k", keys, width, 1.2)
            matrix("attn_v", keys, width)
            if hasBiases {
                bias("attn_q", queries)
                bias("attn_k", keys)
                bias("attn_v", keys)
            }
            if hasHeadNorms {
                norm("attn_q_norm", headWidth)
                norm("attn_k_norm", headWidth)
            }
            matrix("attn_output", width, queries, 0.4)
            norm("ffn_norm", width)
            matrix("ffn_gate", feedForward, width)
            matrix("ffn_up", feedForward, width)
            matrix("ffn_down", width, feedForward, 0.4)
        }
        all.append(Tensor(name: "output_norm.weight", inputs: width, deviation: nil))
        if !isTied {
            all.append(Tensor(name: "output.weight", outputs: vocabulary, inputs: width, deviation: around(width)))
        }
        return all
    }
}

extension ModelSize {
    /// The shapes that `--shape` knows, small ones first. Sources: the models' own config.json.
    public static let all = [
        ModelSize(
            name: "llama-42m", example: "stories42M of llama2.c", architecture: "llama", layers: 8, width: 512,
            feedForward: 1376, heads: 8, cacheHeads: 8, headWidth: 64, vocabulary: 32000, context: 32768,
            rotationBase: 10_000),
        ModelSize(
            name: "llama-135m", example: "SmolLM2-135M", architecture: "llama", layers: 30, width: 576,
            feedForward: 1536, heads: 9, cacheHeads: 3, headWidth: 64, vocabulary: 49152, context: 8192,
            rotationBase: 100_000),
        ModelSize(
            name: "llama-360m", example: "SmolLM2-360M", architecture: "llama", layers: 32, width: 960,
            feedForward: 2560, heads: 15, cacheHeads: 5, headWidth: 64, vocabulary: 49152, context: 8192,
            rotationBase: 100_000),
        ModelSize(
            name: "qwen2.5-0.5b", example: "Qwen2.5-0.5B", architecture: "qwen2", layers: 24, width: 896,
            feedForward: 4864, heads: 14, cacheHeads: 2, headWidth: 64, vocabulary: 151936, context: 32768,
            rotationBase: 1_000_000, epsilon: 1e-6),
        ModelSize(
            name: "qwen3-0.6b", example: "Qwen3-0.6B", architecture: "qwen3", layers: 28, width: 1024,
            feedForward: 3072, heads: 16, cacheHeads: 8, headWidth: 128, vocabulary: 151936, context: 40960,
            rotationBase: 1_000_000, epsilon: 1e-6),
        ModelSize(
            name: "tinyllama-1.1b", example: "TinyLlama-1.1B", architecture: "llama", layers: 22, width: 2048,
            feedForward: 5632, heads: 32, cacheHeads: 4, headWidth: 64, vocabulary: 32000, context: 2048,
            rotationBase: 10_000, isTied: false),
        ModelSize(
            name: "llama-1b", example: "Llama-3.2-1B", architecture: "llama", layers: 16, width: 2048,
            feedForward: 8192, heads: 32, cacheHeads: 8, headWidth: 64, vocabulary: 128256, context: 131072,
            rotationBase: 500_000),
        ModelSize(
            name: "qwen3-1.7b", example: "Qwen3-1.7B", architecture: "qwen3", layers: 28, width: 2048,
            feedForward: 6144, heads: 16, cacheHeads: 8, headWidth: 128, vocabulary: 151936, context: 40960,
            rotationBase: 1_000_000, epsilon: 1e-6),
        ModelSize(
            name: "llama-3b", example: "Llama-3.2-3B", architecture: "llama", layers: 28, width: 3072,
            feedForward: 8192, heads: 24, cacheHeads: 8, headWidth: 128, vocabulary: 128256, context: 131072,
            rotationBase: 500_000),
        ModelSize(
            name: "qwen3-4b", example: "Qwen3-4B", architecture: "qwen3", layers: 36, width: 2560,
            feedForward: 9728, heads: 32, cacheHeads: 8, headWidth: 128, vocabulary: 151936, context: 40960,
            rotationBase: 1_000_000, epsilon: 1e-6),
        ModelSize(
            name: "mistral-7b", example: "Mistral-7B-v0.3", architecture: "llama", layers: 32, width: 4096,
            feedForward: 14336, heads: 32, cacheHeads: 8, headWidth: 128, vocabulary: 32768, context: 32768,
            rotationBase: 1_000_000, isTied: false),
        ModelSize(
            name: "llama-8b", example: "Llama-3.1-8B", architecture: "llama", layers: 32, width: 4096,
            feedForward: 14336, heads: 32, cacheHeads: 8, headWidth: 128, vocabulary: 128256, context: 131072,
            rotationBase: 500_000, isTied: false),
    ]

    /// The shape with a name.
    ///
    /// - Throws: ``BenchmarkError/unknownShape(_:)`` where there is none.
    public static func named(_ name: String) throws(BenchmarkError) -> ModelSize {
        guard let size = all.first(where: { $0.name == name }) else { throw .unknownShape(name) }
        return size
    }
}
