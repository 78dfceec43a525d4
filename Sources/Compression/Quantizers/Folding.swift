internal import Models
internal import Tensors

/// Changes of scale between what makes a projection's input and the projections that read it, which leave the model's function
/// as it is: whoever makes the input divides by s, the columns that read it are multiplied by s.
struct Folding {
    /// What makes the input.
    enum Source {
        /// A norm's weight (and bias): the input of attention and of the feed-forward part.
        case norm(TensorUse, bias: TensorUse?)
        /// Rows of another projection (and its bias), one row for each input: the value projection before the output
        /// projection, where every head has values of its own; the ungated half before the projection down.
        case projection(TensorUse, bias: TensorUse?)
    }

    var input: ProjectionInput
    var source: Source
    /// The projections that read it.
    var readers: [TensorUse]

    /// The foldings of a block.
    ///
    /// - Parameters:
    ///   - uses: all tensors of the network.
    ///   - layer: the block's index.
    static func all(_ uses: [TensorUse], layer: Int) -> [Folding] {
        let byConvention = Dictionary(uniqueKeysWithValues: uses.map { ($0.convention, $0) })
        func part(_ name: String, _ suffix: String = "weight") -> TensorUse? { byConvention["blk.\(layer).\(name).\(suffix)"] }
        func readers(_ input: ProjectionInput) -> [TensorUse] {
            uses.filter { use in
                if case .projection(layer, let part) = use.role { return ProjectionInput(part: part) == input }
                return false
            }
        }
        var result: [Folding] = []
        if let norm = part("attn_norm") {
            result.append(
                Folding(input: .attention, source: .norm(norm, bias: part("attn_norm", "bias")), readers: readers(.attention)))
        }
        if let value = part("attn_v"), let output = part("attn_output"), value.shape[0] == output.shape[1] {
            result.append(
                Folding(
                    input: .attentionOutput, source: .projection(value, bias: part("attn_v", "bias")),
                    readers: readers(.attentionOutput)))
        }
        if let norm = part("ffn_norm") {
            result.append(
                Folding(
                    input: .feedForward, source: .norm(norm, bias: part("ffn_norm", "bias")),
                    readers: readers(.feedForward)))
        }
        if part("ffn_gate") != nil, let up = part("ffn_up"), let down = part("ffn_down"), up.shape[0] == down.shape[1] {
            result.append(
                Folding(
                    input: .feedForwardDown, source: .projection(up, bias: part("ffn_up", "bias")),
                    readers: readers(.feedForwardDown)))
        }
        return result.filter { !$0.readers.isEmpty }
    }

    /// Takes a shift from the input: the norm's bias less z, the readers' biases plus w · z. False where one of them has no place for it.
    ///
    /// - Parameters:
    ///   - shift: z, one for each input.
    ///   - uses: all tensors of the network.
    ///   - block: the block's present weights and vectors.
    func apply(shift: [Float], _ uses: [TensorUse], to block: inout BlockWeights) throws -> Bool {
        guard case .norm(let norm, _) = source else { return false }
        func hasPlace(_ use: TensorUse) -> Bool {
            guard case .projection(_, let part) = use.role, !use.isTransposed else { return false }
            return CompressionJob.correctable.contains(part)
        }
        guard readers.allSatisfy(hasPlace), norm.name.hasSuffix(".weight") else { return false }
        func bias(_ name: String) -> String { String(name.dropLast(".weight".count)) + ".bias" }
        let known = Dictionary(uniqueKeysWithValues: uses.map { ($0.name, $0) })
        func add(_ name: String, _ values: [Float]) throws {
            if let use = known[name] {
                try block.change(use) { present in for index in present.indices { present[index] += values[index] } }
            } else {
                block.vectors[name] = zip(block.vectors[name] ?? values.map { _ in 0 }, values).map { $0 + $1 }
            }
        }
        try add(bias(norm.name), shift.map { -$0 })
        for use in readers {
            let weight = block.weights[use.name]!
            try add(
                bias(use.name),
                (0..<weight.rows).map { row in
                    var sum = 0.0
                    for (value, shift) in zip(weight.row(row), shift) { sum += Double(value) * Double(shift) }
                    return Float(sum)
                })
        }
        return true
    }

    /// Applies a scale: the readers' columns times s, the source divided by s.
    ///
    /// - Parameters:
    ///   - scale: positive, one for each input.
    ///   - block: the block's present weights and vectors.
    func apply(_ scale: [Float], to block: inout BlockWeights) throws {
        for use in readers {
            let weight = block.weights[use.name]!
            for row in 0..<weight.rows {
                let values = weight.row(row)
                for column in 0..<values.count { values[column] *= scale[column] }
            }
        }
        switch source {
        case .norm(let use, let bias):
            try block.change(use) { values in
                for index in values.indices { values[index] = (values[index] + use.adding) / scale[index] - use.adding }
            }
            try scaleBias(of: use, bias, by: scale, &block)
        case .projection(let use, let bias):
            let weight = block.weights[use.name]!
            for row in 0..<weight.rows {
                let values = weight.row(row)
                for column in 0..<values.count { values[column] /= scale[row] }
            }
            try scaleBias(of: use, bias, by: scale, &block)
        }
    }

    /// Divides the bias of what makes the input: the file's, or one that a shift has put there.
    private func scaleBias(of use: TensorUse, _ bias: TensorUse?, by scale: [Float], _ block: inout BlockWeights) throws {
        if let bias {
            return try block.change(bias) { values in for index in values.indices { values[index] /= scale[index] } }
        }
        let name = String(use.name.dropLast(".weight".count)) + ".bias"
        if let values = block.vectors[name] { block.vectors[name] = zip(values, scale).map { $0 / $1 } }
    }
}
