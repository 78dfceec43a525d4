/// How a folder keeps quantized weights: what `quantization_config` of its config.json says, and which tensors there are.
///
/// Read: GPTQ (`gptq`; 2, 3, 4 and 8 bits, activation order), AWQ (`awq`; 4 bits, GEMM version), `compressed-tensors` (integers packed
/// or as bytes, FP8, MXFP4, NVFP4), `fp8` with scales of square blocks, `bitsandbytes` (NF4), and Apus's own (`apus`). Docs/Formats.md describes each.
public struct QuantizationLayout: Sendable {
    /// The name in `quant_method`.
    public let method: String
    private let config: HuggingFaceConfig
    /// Of `apus`: the format of each projection.
    private let formats: HuggingFaceConfig?

    static let methods = ["gptq", "awq", "compressed-tensors", "fp8", "bitsandbytes", "apus"]

    /// - Returns: nil where the configuration says nothing of quantization.
    init?(_ config: HuggingFaceConfig) throws(CheckpointError) {
        guard let quantization = try config.object(ifPresent: "quantization_config") else { return nil }
        self.config = quantization
        method = try quantization.string("quant_method").lowercased()
        guard Self.methods.contains(method) else {
            throw quantization.failure(
                "quant_method",
                "\"\(method)\" is not read; \(Self.methods.joined(separator: ", ")) are: convert the model to one of them, or take "
                    + "its original weights")
        }
        formats = try method == "apus" ? quantization.object("formats") : nil
    }

    /// The weight of a projection, `stem` being its tensors' name without the last part; nil where it is kept as a plain tensor.
    ///
    /// - Throws: ``CheckpointError`` where a tensor is missing, has a shape or type that does not belong, or the format is not read.
    func weight(
        _ stem: String, outputs: Int, inputs: Int, in checkpoint: Checkpoint
    ) throws(CheckpointError) -> StoredWeight? {
        let source = ProjectionTensors(stem: stem, outputs: outputs, inputs: inputs, checkpoint: checkpoint)
        if let formats { return try source.apus(formats) }
        if method == "bitsandbytes" { return try source.bitsAndBytes() }
        if source.has("qweight") {
            return try method == "awq" ? source.awq(config) : source.gptq(config)
        }
        if let packed = checkpoint.rawTensor(named: stem + ".weight_packed") {
            return try packed.dtypeName == "I32" ? source.packedIntegers(packed) : source.packedFloats(packed)
        }
        switch checkpoint.rawTensor(named: stem + ".weight")?.dtypeName {
        case "I8": return try source.integers()
        case "F8_E4M3", "F8_E5M2": return try source.smallFloats(config)
        default: return nil
        }
    }

    /// The rows of an embedding that is quantized; nil where it is kept as a plain tensor. Only `apus` quantizes embeddings.
    func rows(_ stem: String, inputs: Int, in checkpoint: Checkpoint) throws(CheckpointError) -> StoredWeight? {
        guard let formats, try formats.string(ifPresent: stem) != nil,
            let outputs = checkpoint.rawTensor(named: stem + ".weight")?.shape.first
        else { return nil }
        return try ProjectionTensors(stem: stem, outputs: outputs, inputs: inputs, checkpoint: checkpoint).apus(formats)
    }
}

extension Checkpoint {
    /// A projection's weight where the folder keeps it quantized; nil where it is a plain tensor, or the file is a GGUF file.
    ///
    /// - Parameter stem: the name without `.weight`.
    public func quantizedWeight(_ stem: String, outputs: Int, inputs: Int) throws(CheckpointError) -> StoredWeight? {
        try quantization?.weight(stem, outputs: outputs, inputs: inputs, in: self)
    }

    /// An embedding where the folder keeps it quantized.
    public func quantizedRows(_ stem: String, inputs: Int) throws(CheckpointError) -> StoredWeight? {
        try quantization?.rows(stem, inputs: inputs, in: self)
    }
}
