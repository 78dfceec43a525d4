internal import Checkpoints
internal import Tensors

/// A checkpoint seen by an architecture: weights under the names of the GGUF convention (`attn_q`, `ffn_up`), whichever
/// of the two layouts the file has.
final class ModelSource: Sendable {
    let checkpoint: Checkpoint
    let names: TensorNames
    private let arena = VectorArena()
    private let panels: PanelStorage
    /// Where weights go that this model leaves out.
    private let unread = PanelStorage(threads: 0)
    private let prefix: String
    private let architecture: String
    private let part: ModelPart
    private let overlay: WeightOverlay
    /// Every tensor that an architecture has asked for.
    let uses = TensorUses()
    private let tally = QuantizedTally()

    /// Parameters of the network: what a quantized weight stands for, not the words that hold it.
    var parameters: Int { checkpoint.parameterCount + tally.correction }

    init(
        _ checkpoint: Checkpoint, architecture: String, names: TensorNames, panels: PanelStorage, part: ModelPart = .whole,
        overlay: WeightOverlay = WeightOverlay()
    ) throws(CheckpointError) {
        self.checkpoint = checkpoint
        self.panels = panels
        self.part = part
        self.overlay = overlay
        self.architecture = architecture
        self.names = names
        if checkpoint.kind == .gguf {
            prefix = ""
        } else {
            let known = Set(checkpoint.tensorNames)
            let embedding = names.embedding + ".weight"
            guard let found = names.prefixes.first(where: { known.contains($0 + embedding) }) else {
                throw CheckpointError(
                    file: checkpoint.name, tensor: names.prefixes[0] + embedding,
                    reason: "the tensor is missing; a model of architecture \(architecture) needs it")
            }
            prefix = found
        }
    }

    var isGGUF: Bool { checkpoint.kind == .gguf }

    // MARK: Numbers of the header

    /// An integer of the header: `<architecture>.<gguf>` or the config's `key`; nil where absent.
    func int(gguf: String, _ key: String) throws(CheckpointError) -> Int? {
        if let metadata = checkpoint.gguf { return try metadata.int(ifPresent: prefixed(gguf)) }
        return try config.int(ifPresent: key)
    }

    func double(gguf: String, _ key: String) throws(CheckpointError) -> Double? {
        if let metadata = checkpoint.gguf { return try metadata.float(ifPresent: prefixed(gguf)) }
        return try config.double(ifPresent: key)
    }

    /// A string of a GGUF header; nil where absent, and for a folder.
    func string(gguf: String) throws(CheckpointError) -> String? {
        try checkpoint.gguf?.string(ifPresent: prefixed(gguf))
    }

    /// An integer that must be there and lie in a range.
    func int(gguf: String, _ key: String, in range: ClosedRange<Int>) throws(CheckpointError) -> Int {
        guard let value = try int(gguf: gguf, key) else { throw failure(gguf: gguf, key, "the value is missing") }
        guard range.contains(value) else {
            throw failure(
                gguf: gguf, key, "\(value) is not allowed; it must lie in \(range.lowerBound)...\(range.upperBound)")
        }
        return value
    }

    func failure(gguf: String, _ key: String, _ reason: String) -> CheckpointError {
        CheckpointError(file: checkpoint.name, field: isGGUF ? prefixed(gguf) : key, reason: reason)
    }

    private func prefixed(_ key: String) -> String {
        // The header's own architecture names its keys; an alias (Mistral under `llama`) keeps the file's name.
        "\((try? checkpoint.gguf?.string(ifPresent: "general.architecture")) ?? architecture).\(key)"
    }

    /// The text part of a Hugging Face configuration.
    var config: HuggingFaceConfig {
        get throws(CheckpointError) {
            guard let config = checkpoint.config else {
                throw CheckpointError(file: checkpoint.name, reason: "there is no config.json beside the weights")
            }
            return try config.object(ifPresent: "text_config") ?? config
        }
    }

    // MARK: Tensors

    /// A weight of a block, [outputs, inputs].
    func weight(_ name: String, layer: Int, _ outputs: Int, _ inputs: Int) throws(CheckpointError) -> Weight {
        let full = fullName(name, layer: layer, suffix: "weight")
        uses.add(
            TensorUse(
                name: full, convention: "blk.\(layer).\(name).weight", role: .projection(layer: layer, part: name),
                shape: [outputs, inputs]))
        return try weight(full: full, outputs, inputs)
    }

    /// The weight and, where the file has one, the bias.
    func linear(_ name: String, layer: Int, _ outputs: Int, _ inputs: Int) throws(CheckpointError) -> Linear {
        Linear(
            weight: try self.parts(name, layer: layer, parts: [outputs], inputs)[0],
            bias: try optionalVector(
                full: fullName(name, layer: layer, suffix: "bias"), outputs, convention: "blk.\(layer).\(name).bias"),
            correction: try correction(fullName(name, layer: layer, suffix: "weight"), outputs, inputs, storage(layer: layer)))
    }

    /// What stands beside a quantized weight of a folder of layout apus; nil where there is nothing.
    private func correction(
        _ full: String, _ outputs: Int, _ inputs: Int, _ storage: PanelStorage
    ) throws(CheckpointError) -> Correction? {
        guard !isGGUF, overlay.weights[full] == nil,
            let stored = try checkpoint.correction(String(full.dropLast(".weight".count)), outputs: outputs, inputs: inputs)
        else { return nil }
        var lowRank: (down: PackedWeight, up: Vector)?
        if let part = stored.lowRank {
            // Turned, so that outputs lie side by side.
            var up = [Float](repeating: 0, count: part.rank * outputs)
            for output in 0..<outputs {
                for (index, value) in part.up.floats(ofRow: output).enumerated() { up[index * outputs + output] = value }
            }
            lowRank = (storage.pack(part.down), arena.store(up))
        }
        return Correction(lowRank: lowRank, sparse: stored.sparse)
    }

    /// A block's RMSNorm, and what compression has added to it.
    func rmsNorm(
        _ name: String, layer: Int, _ count: Int, epsilon: Float, adding constant: Float = 0
    ) throws(CheckpointError) -> Norm {
        let weight = try vector(name, layer: layer, count, adding: constant)
        let shift = isGGUF ? nil : try optionalVector(
            full: fullName(name, layer: layer, suffix: "bias"), count, convention: "blk.\(layer).\(name).bias")
        return Norm(weight: weight, shift: shift, epsilon: epsilon)
    }

    /// Where a block's weights go: they are left out of a model of other parts.
    private func storage(layer: Int) -> PanelStorage {
        switch part {
        case .whole: panels
        case .block(let wanted): layer == wanted ? panels : unread
        case .ends: unread
        }
    }

    /// A vector of a block, as floats, plus a constant.
    func vector(
        _ name: String, layer: Int, _ count: Int, suffix: String = "weight", adding constant: Float = 0
    ) throws(CheckpointError) -> Vector {
        try vector(
            full: fullName(name, layer: layer, suffix: suffix), count, adding: constant,
            convention: "blk.\(layer).\(name).\(suffix)")
    }

    /// The embedding, [vocabulary, width]; its rows tell the vocabulary's size.
    func embedding(width: Int) throws(CheckpointError) -> Weight {
        let name = isGGUF ? "token_embd.weight" : prefix + names.embedding + ".weight"
        if !isGGUF, overlay.weights[name] == nil,
            let stored = try checkpoint.quantizedRows(prefix + names.embedding, inputs: width), let rows = try stored.mapped()
        {
            uses.add(
                TensorUse(name: name, convention: "token_embd.weight", role: .embedding, shape: [rows.outputs, width]))
            tally.count(rows.outputs * width, insteadOf: checkpoint.elements(under: prefix + names.embedding + "."))
            return rows
        }
        let tensor = try checkpoint.require(name)
        guard tensor.shape.count == 2, tensor.shape[1] == width, tensor.shape[0] <= Int(Int32.max) else {
            throw CheckpointError(
                file: checkpoint.name, tensor: name, field: "shape",
                reason: "\(tensor.shape) is not [vocabulary, \(width)]")
        }
        uses.add(TensorUse(name: name, convention: "token_embd.weight", role: .embedding, shape: tensor.shape))
        if let replaced = overlay.weights[name] { return Weight(replaced) }
        return Weight(type: tensor.type, outputs: tensor.shape[0], inputs: width, bytes: tensor.bytes)
    }

    /// The projection to scores, or the embedding where the file ties them.
    func output(tiedTo embedding: Weight) throws(CheckpointError) -> Linear {
        let name = isGGUF ? "output.weight" : names.output + ".weight"
        // A configuration that ties wins over a copy that the file may still carry.
        let tied = isGGUF ? false : try config.bool(ifPresent: "tie_word_embeddings") ?? names.tiesByDefault
        let storage = part == .whole ? panels : unread
        if !tied, hasProjection(name) {
            uses.add(
                TensorUse(
                    name: name, convention: "output.weight", role: .output,
                    shape: [embedding.outputs, embedding.inputs]))
            let (outputs, inputs) = (embedding.outputs, embedding.inputs)
            if let weights = try quantized(name, [outputs], inputs, storage) { return Linear(weight: weights[0]) }
            return Linear(weight: storage.pack(try weight(full: name, outputs, inputs)))
        }
        if !tied, !isGGUF, !names.tiesByDefault {
            throw CheckpointError(
                file: checkpoint.name, tensor: name,
                reason: "the tensor is missing, and config.json does not tie it to the embedding")
        }
        return Linear(weight: storage.pack(embedding))
    }

    private func hasProjection(_ name: String) -> Bool {
        let stem = String(name.dropLast(".weight".count))
        return [".weight", ".qweight", ".weight_packed"].contains { checkpoint.rawTensor(named: stem + $0) != nil }
    }

    /// Projections by parts of a weight that the file keeps quantized; nil where it is a plain tensor.
    private func quantized(
        _ full: String, _ parts: [Int], _ inputs: Int, _ storage: PanelStorage
    ) throws(CheckpointError) -> [PackedWeight]? {
        let stem = String(full.dropLast(".weight".count))
        let outputs = parts.reduce(0, +)
        guard overlay.weights[full] == nil,
            let stored = try checkpoint.quantizedWeight(stem, outputs: outputs, inputs: inputs)
        else { return nil }
        tally.count(outputs * inputs, insteadOf: checkpoint.elements(under: stem + "."))
        guard storage.readsWeights else {
            return parts.map { storage.place(type: stored.type, outputs: $0, inputs: inputs, order: stored.order) }
        }
        return try stored.withWeight { split($0, parts, storage, order: stored.order) }
    }

    /// A tensor outside the blocks: `output_norm`, `position_embd`, `rope_freqs`.
    func globalVector(
        _ name: String, _ count: Int, suffix: String = "weight", adding constant: Float = 0
    ) throws(CheckpointError) -> Vector {
        try vector(
            full: globalName(name, suffix: suffix), count, adding: constant, convention: "\(name).\(suffix)")
    }

    func optionalGlobalVector(_ name: String, _ count: Int) throws(CheckpointError) -> Vector? {
        try optionalVector(full: globalName(name, suffix: "weight"), count, convention: "\(name).weight")
    }

    func globalWeight(_ name: String, inputs: Int) throws(CheckpointError) -> Weight {
        let full = globalName(name, suffix: "weight")
        let tensor = try checkpoint.require(full)
        guard tensor.shape.count == 2, tensor.shape[1] == inputs else {
            throw CheckpointError(
                file: checkpoint.name, tensor: full, field: "shape", reason: "\(tensor.shape) is not [rows, \(inputs)]")
        }
        uses.add(TensorUse(name: full, convention: "\(name).weight", role: .table, shape: tensor.shape))
        return Weight(type: tensor.type, outputs: tensor.shape[0], inputs: inputs, bytes: tensor.bytes)
    }

    /// Projections by parts of a weight stored as [inputs, outputs], turned while loading.
    ///
    /// - Parameter parts: outputs of each, one after another.
    func transposed(
        _ name: String, layer: Int, parts: [Int], _ inputs: Int
    ) throws(CheckpointError) -> [PackedWeight] {
        let outputs = parts.reduce(0, +)
        let full = fullName(name, layer: layer, suffix: "weight")
        uses.add(
            TensorUse(
                name: full, convention: "blk.\(layer).\(name).weight", role: .projection(layer: layer, part: name),
                shape: [outputs, inputs], isTransposed: true))
        let storage = storage(layer: layer)
        if let replaced = overlay.weights[full] { return split(Weight(replaced), parts, storage) }
        // Quantized, its outputs come first like everyone's.
        if let weights = try quantized(full, parts, inputs, storage) { return weights }
        let stored = try weight(full: full, inputs, outputs)
        guard storage.readsWeights else { return parts.map { storage.place(type: .f32, outputs: $0, inputs: inputs) } }
        var values = [Float](repeating: 0, count: outputs * inputs)
        for input in 0..<inputs {
            let row = stored.floats(ofRow: input)
            for output in 0..<outputs { values[output * inputs + input] = row[output] }
        }
        return values.withUnsafeBytes { bytes in
            split(Weight(type: .f32, outputs: outputs, inputs: inputs, bytes: bytes), parts, storage)
        }
    }

    /// The same of a weight stored as [outputs, inputs].
    func parts(_ name: String, layer: Int, parts: [Int], _ inputs: Int) throws(CheckpointError) -> [PackedWeight] {
        let full = fullName(name, layer: layer, suffix: "weight")
        let outputs = parts.reduce(0, +)
        if let weights = try quantized(full, parts, inputs, storage(layer: layer)) {
            uses.add(
                TensorUse(
                    name: full, convention: "blk.\(layer).\(name).weight", role: .projection(layer: layer, part: name),
                    shape: [outputs, inputs]))
            return weights
        }
        return split(try weight(name, layer: layer, outputs, inputs), parts, storage(layer: layer))
    }

    private func split(
        _ whole: Weight, _ parts: [Int], _ storage: PanelStorage, order: [Int32]? = nil
    ) -> [PackedWeight] {
        var first = 0
        return parts.map { count in
            defer { first += count }
            return storage.pack(whole.outputs(first, count: count), order: order)
        }
    }

    func store(_ values: [Float]) -> Vector { arena.store(values) }

    private func fullName(_ name: String, layer: Int, suffix: String) -> String {
        if isGGUF { return "blk.\(layer).\(name).\(suffix)" }
        return "\(prefix)\(names.layers).\(layer).\(names.parts[name] ?? name).\(suffix)"
    }

    private func globalName(_ name: String, suffix: String) -> String {
        isGGUF ? "\(name).\(suffix)" : "\(prefix)\(names.globals[name] ?? name).\(suffix)"
    }

    private func weight(full name: String, _ outputs: Int, _ inputs: Int) throws(CheckpointError) -> Weight {
        if let replaced = overlay.weights[name] {
            precondition(replaced.rows == outputs && replaced.columns == inputs)
            return Weight(replaced)
        }
        let tensor = try checkpoint.require(name, shape: [outputs, inputs])
        return Weight(type: tensor.type, outputs: outputs, inputs: inputs, bytes: tensor.bytes)
    }

    private func optionalVector(full name: String, _ count: Int, convention: String) throws(CheckpointError) -> Vector? {
        if overlay.vectors[name] == nil, try checkpoint.tensor(named: name) == nil { return nil }
        return try vector(full: name, count, convention: convention)
    }

    private func vector(
        full name: String, _ count: Int, adding constant: Float = 0, convention: String
    ) throws(CheckpointError) -> Vector {
        uses.add(TensorUse(name: name, convention: convention, role: .vector, shape: [count], adding: constant))
        let values: [Float]
        if let replaced = overlay.vectors[name] {
            precondition(replaced.count == count)
            values = replaced
        } else {
            let tensor = try checkpoint.require(name, shape: [count])
            values = Weight(type: tensor.type, outputs: 1, inputs: count, bytes: tensor.bytes).floats(ofRow: 0)
        }
        return arena.store(constant == 0 ? values : values.map { $0 + constant })
    }
}

/// What a quantized folder's tensors count as, while its model is made.
private final class QuantizedTally: @unchecked Sendable {
    private(set) var correction = 0

    func count(_ elements: Int, insteadOf stored: Int) { correction += elements - stored }
}

/// How a Hugging Face folder names the tensors that the GGUF convention calls `blk.N.attn_q` and so on.
struct TensorNames: Sendable {
    /// What may stand before all names, the usual one first.
    var prefixes = ["model.", "language_model.model.", "model.language_model.", ""]
    var embedding = "embed_tokens"
    var output = "lm_head"
    var layers = "layers"
    var tiesByDefault = false
    var globals = ["output_norm": "norm"]
    var parts = [
        "attn_norm": "input_layernorm",
        "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj", "attn_qkv": "self_attn.qkv_proj",
        "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
        "ffn_norm": "post_attention_layernorm",
        "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
    ]
}

/// What a layer's attention sees.
enum LayerKind { case full, sliding }

extension ModelSource {
    /// `layer_types` of a config.json; nil where it has none.
    func layerTypes(_ layers: Int) throws(CheckpointError) -> [LayerKind]? {
        guard let types = try config.strings(ifPresent: "layer_types") else { return nil }
        guard types.count == layers else {
            throw failure(gguf: "", "layer_types", "\(types.count) entries for \(layers) layers")
        }
        var kinds: [LayerKind] = []
        for type in types {
            switch type {
            case "full_attention": kinds.append(.full)
            case "sliding_attention": kinds.append(.sliding)
            default:
                throw failure(gguf: "", "layer_types", "'\(type)' is not full_attention or sliding_attention")
            }
        }
        return kinds
    }
}
