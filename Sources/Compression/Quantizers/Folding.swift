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
            if let bias {
                try block.change(bias) { values in for index in values.indices { values[index] /= scale[index] } }
            }
        case .projection(let use, let bias):
            let weight = block.weights[use.name]!
            for row in 0..<weight.rows {
                let values = weight.row(row)
                for column in 0..<values.count { values[column] /= scale[row] }
            }
            if let bias {
                try block.change(bias) { values in for index in values.indices { values[index] /= scale[index] } }
            }
        }
    }
}
