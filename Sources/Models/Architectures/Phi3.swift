internal import Checkpoints
internal import Tensors

/// Phi-3: Llama's form with Q, K, V in one projection and gate and up in another; longrope in the long-context models.
let phi3 = Architecture(name: "phi3", huggingFace: ["Phi3ForCausalLM"], names: phi3Names) {
    source throws(CheckpointError) in
    let sizes = try Hyperparameters(source)
    let rotations = [try source.rotation(sizes)]
    let queryWidth = sizes.heads * sizes.headWidth
    let cacheWidth = sizes.cacheHeads * sizes.headWidth
    var blocks: [DecoderBlock] = []
    for layer in 0..<sizes.layers {
        let projections = try source.parts(
            "attn_qkv", layer: layer, parts: [queryWidth, cacheWidth, cacheWidth], sizes.width)
        let both = try source.parts(
            "ffn_up", layer: layer, parts: [sizes.feedForward, sizes.feedForward], sizes.width)
        func norm(_ part: String) throws(CheckpointError) -> Norm {
            Norm(weight: try source.vector(part, layer: layer, sizes.width), epsilon: sizes.epsilon)
        }
        blocks.append(
            DecoderBlock(
                attentionNorm: try norm("attn_norm"),
                attention: Attention(
                    query: Linear(weight: projections[0]),
                    key: Linear(weight: projections[1]),
                    value: Linear(weight: projections[2]),
                    output: try source.linear("attn_output", layer: layer, sizes.width, queryWidth),
                    rotation: 0, pairing: .halves, headWidth: sizes.headWidth, window: sizes.window,
                    scale: 1 / Float(sizes.headWidth).squareRoot()),
                feedForwardNorm: try norm("ffn_norm"),
                feedForward: FeedForward(
                    gate: Linear(weight: both[0]),
                    up: Linear(weight: both[1]),
                    down: try source.linear("ffn_down", layer: layer, sizes.width, sizes.feedForward),
                    activation: .silu)))
    }
    return try Decoder(
        "phi3", source, sizes, windows: Array(repeating: sizes.window, count: sizes.layers), rotations: rotations,
        blocks: blocks)
}

private let phi3Names: TensorNames = {
    var names = TensorNames()
    names.parts["ffn_up"] = "mlp.gate_up_proj"
    return names
}()
