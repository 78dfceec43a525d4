internal import Checkpoints

/// Qwen2 and Qwen2.5: Llama's form with biases on Q, K and V; the upper layers may have a sliding window.
let qwen2 = Architecture(name: "qwen2", huggingFace: ["Qwen2ForCausalLM"]) { source throws(CheckpointError) in
    let sizes = try Hyperparameters(source)
    return try decoder("qwen2", source, sizes, windows: try qwenWindows(source, sizes))
}

/// Qwen3: no biases, RMSNorm on each head of Q and K.
let qwen3 = Architecture(name: "qwen3", huggingFace: ["Qwen3ForCausalLM"]) { source throws(CheckpointError) in
    let sizes = try Hyperparameters(source, headWidth: source.isGGUF ? nil : 128)
    return try decoder("qwen3", source, sizes, windows: try qwenWindows(source, sizes), headNorms: true)
}

/// Layers from `max_window_layers` on use the window, where `use_sliding_window` says so; `layer_types` says it by layer.
private func qwenWindows(_ source: ModelSource, _ sizes: Hyperparameters) throws(CheckpointError) -> [Int?] {
    let none: [Int?] = Array(repeating: nil, count: sizes.layers)
    guard !source.isGGUF, let window = sizes.window else { return none }
    let config = try source.config
    guard try config.bool(ifPresent: "use_sliding_window") ?? false else { return none }
    if let types = try source.layerTypes(sizes.layers) { return types.map { $0 == .sliding ? window : nil } }
    let first = try config.int(ifPresent: "max_window_layers") ?? 28
    return (0..<sizes.layers).map { $0 >= first ? window : nil }
}
