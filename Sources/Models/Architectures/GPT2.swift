internal import Checkpoints
internal import Tensors

/// GPT-2: LayerNorm, learned positions, biases everywhere, a plain GELU feed-forward. A folder stores its projections as
/// [inputs, outputs]; they are turned once while loading.
let gpt2 = Architecture(name: "gpt2", huggingFace: ["GPT2LMHeadModel"], names: gpt2Names) {
    source throws(CheckpointError) in
    var keys = Hyperparameters.Keys()
    keys.layers = "n_layer"
    keys.width = "n_embd"
    keys.heads = "n_head"
    keys.feedForward = "n_inner"
    keys.context = "n_positions"
    keys.epsilon = "layer_norm_epsilon"
    keys.ggufEpsilon = "attention.layer_norm_epsilon"
    keys.defaultEpsilon = 1e-5
    let sizes = try Hyperparameters(source, keys: keys)
    let width = sizes.width
    var blocks: [DecoderBlock] = []
    for layer in 0..<sizes.layers {
        func norm(_ part: String) throws(CheckpointError) -> Norm {
            Norm(
                weight: try source.vector(part, layer: layer, width),
                bias: try source.vector(part, layer: layer, width, suffix: "bias"), epsilon: sizes.epsilon)
        }
        func linears(_ part: String, _ outputs: [Int], _ inputs: Int) throws(CheckpointError) -> [Linear] {
            let weights =
                source.isGGUF
                ? try source.parts(part, layer: layer, parts: outputs, inputs)
                : try source.transposed(part, layer: layer, parts: outputs, inputs)
            let biases = Array(
                try source.vector(part, layer: layer, outputs.reduce(0, +), suffix: "bias").elements)
            var first = 0
            return weights.map { weight in
                defer { first += weight.outputs }
                return Linear(weight: weight, bias: source.store(Array(biases[first..<first + weight.outputs])))
            }
        }
        let projections = try linears("attn_qkv", [width, width, width], width)
        blocks.append(
            DecoderBlock(
                attentionNorm: try norm("attn_norm"),
                attention: Attention(
                    query: projections[0], key: projections[1], value: projections[2],
                    output: try linears("attn_output", [width], width)[0],
                    rotation: nil, pairing: .halves, headWidth: sizes.headWidth, window: nil,
                    scale: 1 / Float(sizes.headWidth).squareRoot()),
                feedForwardNorm: try norm("ffn_norm"),
                feedForward: FeedForward(
                    gate: nil, up: try linears("ffn_up", [sizes.feedForward], width)[0],
                    down: try linears("ffn_down", [width], sizes.feedForward)[0], activation: .gelu)))
    }
    let embedding = try source.embedding(width: width)
    let positions = try source.globalWeight("position_embd", inputs: width)
    guard positions.outputs >= sizes.context else {
        throw source.failure(
            gguf: "context_length", "n_positions", "\(sizes.context) exceeds the \(positions.outputs) learned positions"
        )
    }
    let parts = Decoder.Parts(
        embedding: embedding, positions: positions, rotations: [], blocks: blocks,
        outputNorm: Norm(
            weight: try source.globalVector("output_norm", width),
            bias: try source.globalVector("output_norm", width, suffix: "bias"), epsilon: sizes.epsilon),
        output: try source.output(tiedTo: embedding))
    let shape = sizes.shape(
        "gpt2", vocabulary: embedding.outputs, windows: Array(repeating: nil, count: sizes.layers), rotations: [],
        source: source)
    return Decoder(shape, parts, source)
}

private let gpt2Names: TensorNames = {
    var names = TensorNames()
    names.prefixes = ["transformer.", ""]
    names.embedding = "wte"
    names.layers = "h"
    names.tiesByDefault = true
    names.globals = ["output_norm": "ln_f", "position_embd": "wpe"]
    names.parts = [
        "attn_norm": "ln_1", "attn_qkv": "attn.c_attn", "attn_output": "attn.c_proj",
        "ffn_norm": "ln_2", "ffn_up": "mlp.c_fc", "ffn_down": "mlp.c_proj",
    ]
    return names
}()
