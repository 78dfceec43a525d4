internal import Checkpoints
internal import Tensors

/// Gemma 2: local and global layers in turn, norms before and after each part, soft caps on attention and scores.
let gemma2 = Architecture(name: "gemma2", huggingFace: ["Gemma2ForCausalLM"], names: gemmaNames) {
    source throws(CheckpointError) in
    try gemma("gemma2", source, globalEvery: 2, localBase: nil, headNorms: false)
}

/// Gemma 3 (text): five local layers to a global one, rotations of their own for each, norms on Q and K.
let gemma3 = Architecture(
    name: "gemma3", huggingFace: ["Gemma3ForCausalLM", "Gemma3ForConditionalGeneration"], names: gemmaNames
) { source throws(CheckpointError) in
    try gemma("gemma3", source, globalEvery: 6, localBase: 10_000, headNorms: true)
}

private func gemma(
    _ name: String, _ source: ModelSource, globalEvery: Int, localBase: Double?, headNorms: Bool
) throws(CheckpointError) -> any Model {
    let sizes = try Hyperparameters(source, headWidth: source.isGGUF ? nil : 256)
    let isLocal = try gemmaLocalLayers(source, sizes, globalEvery: globalEvery)
    let windows = isLocal.map { $0 ? sizes.window : nil }
    var rotations: [Rotation] = []
    // Rotation 0 is the global layers', rotation 1 the local layers' where they differ.
    let layered = source.isGGUF ? nil : try source.config.object(ifPresent: "rope_parameters")
    let global = try layered?.object(ifPresent: "full_attention")
    rotations.append(try source.rotation(sizes, defaultBase: localBase == nil ? 10_000 : 1_000_000, parameters: global))
    if let localBase {
        let layerBase = try layered?.object(ifPresent: "sliding_attention")?.double(ifPresent: "rope_theta")
        let stated = try source.double(gguf: "rope.freq_base_swa", "rope_local_base_freq")
        rotations.append(source.plainRotation(base: layerBase ?? stated ?? localBase, width: sizes.headWidth))
    }
    // The weights of a folder's norms are stored less one; the converter to GGUF adds it.
    let unit: Float = source.isGGUF ? 0 : 1
    let stated = source.isGGUF ? nil : try source.config.double(ifPresent: "query_pre_attn_scalar")
    let scale = 1 / Float(stated ?? gemmaDefaultScalar(source, sizes)).squareRoot()
    let attentionCap = try source.double(gguf: "attn_logit_softcapping", "attn_logit_softcapping") ?? 0
    let scoreCap = try source.double(gguf: "final_logit_softcapping", "final_logit_softcapping") ?? 0
    let queryWidth = sizes.heads * sizes.headWidth
    let cacheWidth = sizes.cacheHeads * sizes.headWidth
    var blocks: [DecoderBlock] = []
    for layer in 0..<sizes.layers {
        func norm(_ part: String, _ count: Int) throws(CheckpointError) -> Norm {
            try source.rmsNorm(part, layer: layer, count, epsilon: sizes.epsilon, adding: unit)
        }
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
                    rotation: isLocal[layer] ? rotations.count - 1 : 0, pairing: .halves, headWidth: sizes.headWidth,
                    window: windows[layer], scale: scale, softCap: Float(attentionCap)),
                attentionOutNorm: try norm("post_attention_norm", sizes.width),
                feedForwardNorm: try norm("ffn_norm", sizes.width),
                feedForward: FeedForward(
                    gate: try source.linear("ffn_gate", layer: layer, sizes.feedForward, sizes.width),
                    up: try source.linear("ffn_up", layer: layer, sizes.feedForward, sizes.width),
                    down: try source.linear("ffn_down", layer: layer, sizes.width, sizes.feedForward),
                    activation: .gelu),
                feedForwardOutNorm: try norm("post_ffw_norm", sizes.width)))
    }
    let embedding = try source.embedding(width: sizes.width)
    let outputNorm = try source.globalVector("output_norm", sizes.width, adding: unit)
    let parts = Decoder.Parts(
        embedding: embedding, embeddingFactor: Float(sizes.width).squareRoot(), rotations: rotations, blocks: blocks,
        outputNorm: Norm(weight: outputNorm, epsilon: sizes.epsilon), output: try source.output(tiedTo: embedding),
        scoreCap: Float(scoreCap))
    let shape = sizes.shape(
        name, vocabulary: embedding.outputs, windows: windows, rotations: rotations, source: source)
    return Decoder(shape, parts, source)
}

private func gemmaLocalLayers(
    _ source: ModelSource, _ sizes: Hyperparameters, globalEvery: Int
) throws(CheckpointError) -> [Bool] {
    if !source.isGGUF {
        if let types = try source.layerTypes(sizes.layers) { return types.map { $0 == .sliding } }
        let pattern = try source.config.int(ifPresent: "sliding_window_pattern") ?? globalEvery
        guard pattern > 0 else {
            throw source.failure(gguf: "", "sliding_window_pattern", "\(pattern) is not positive")
        }
        return (0..<sizes.layers).map { ($0 + 1) % pattern != 0 }
    }
    let stated = try source.int(gguf: "attention.sliding_window_pattern", "")
    let pattern = stated ?? globalEvery
    guard pattern > 0 else {
        throw source.failure(gguf: "attention.sliding_window_pattern", "", "\(pattern) is not positive")
    }
    return (0..<sizes.layers).map { ($0 + 1) % pattern != 0 }
}

/// A GGUF file does not state `query_pre_attn_scalar`: it is the head width, but width / heads for the 27B models.
private func gemmaDefaultScalar(_ source: ModelSource, _ sizes: Hyperparameters) -> Double {
    let large = source.isGGUF && (sizes.layers == 46 || sizes.layers == 62)
    return large ? Double(sizes.width / sizes.heads) : source.isGGUF ? Double(sizes.headWidth) : 256
}

private let gemmaNames: TensorNames = {
    var names = TensorNames()
    names.tiesByDefault = true
    names.parts["post_attention_norm"] = "post_attention_layernorm"
    names.parts["ffn_norm"] = "pre_feedforward_layernorm"
    names.parts["post_ffw_norm"] = "post_feedforward_layernorm"
    return names
}()
