internal import Checkpoints
internal import Tensors

/// Llama 2 and 3, SmolLM2, and the many models that share their form.
let llama = Architecture(name: "llama", huggingFace: ["LlamaForCausalLM"]) { source throws(CheckpointError) in
    let sizes = try Hyperparameters(source)
    return try decoder("llama", source, sizes, windows: Array(repeating: sizes.window, count: sizes.layers))
}

/// Mistral: Llama with a sliding window on every layer. Its GGUF files call themselves `llama`.
let mistral = Architecture(name: "mistral", huggingFace: ["MistralForCausalLM"]) { source throws(CheckpointError) in
    let sizes = try Hyperparameters(source)
    return try decoder("mistral", source, sizes, windows: Array(repeating: sizes.window, count: sizes.layers))
}

/// The form that Llama, Mistral, Qwen2 and Qwen3 share: RMSNorm before each part, rotary attention, a SiLU-gated
/// feed-forward. Biases are used where the file has them.
///
/// - Parameters:
///   - windows: the attention window of each layer.
///   - headNorms: whether queries and keys are normalised by head.
func decoder(
    _ name: String, _ source: ModelSource, _ sizes: Hyperparameters, windows: [Int?], headNorms: Bool = false
) throws(CheckpointError) -> any Model {
    let rotations = [try source.rotation(sizes)]
    // The converter to GGUF reorders the rows of Q and K of `llama` files so that neighbours turn together.
    let pairing: RotationPairing = source.isGGUF && (name == "llama" || name == "mistral") ? .neighbours : .halves
    var blocks: [DecoderBlock] = []
    for layer in 0..<sizes.layers {
        func norm(_ part: String, _ count: Int) throws(CheckpointError) -> Norm {
            try source.rmsNorm(part, layer: layer, count, epsilon: sizes.epsilon)
        }
        let queryWidth = sizes.heads * sizes.headWidth
        let cacheWidth = sizes.cacheHeads * sizes.headWidth
        blocks.append(
            DecoderBlock(
                attentionNorm: try norm("attn_norm", sizes.width),
                attention: Attention(
                    query: try source.linear("attn_q", layer: layer, queryWidth, sizes.width),
                    key: try source.linear("attn_k", layer: layer, cacheWidth, sizes.width),
                    value: try source.linear("attn_v", layer: layer, cacheWidth, sizes.width),
                    output: try source.linear("attn_output", layer: layer, sizes.width, queryWidth),
                    queryNorm: headNorms ? try norm("attn_q_norm", sizes.headWidth) : nil,
                    keyNorm: headNorms ? try norm("attn_k_norm", sizes.headWidth) : nil,
                    rotation: 0, pairing: pairing, headWidth: sizes.headWidth, window: windows[layer],
                    scale: 1 / Float(sizes.headWidth).squareRoot()),
                feedForwardNorm: try norm("ffn_norm", sizes.width),
                feedForward: FeedForward(
                    gate: try source.linear("ffn_gate", layer: layer, sizes.feedForward, sizes.width),
                    up: try source.linear("ffn_up", layer: layer, sizes.feedForward, sizes.width),
                    down: try source.linear("ffn_down", layer: layer, sizes.width, sizes.feedForward),
                    activation: .silu)))
    }
    return try Decoder(name, source, sizes, windows: windows, rotations: rotations, blocks: blocks)
}
