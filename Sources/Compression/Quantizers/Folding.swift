internal import Models
internal import Tensors

/// Changes of scale between what makes a projection's input and the projections that read it, which leave the model's function
/// as it is: whoever makes the input divides by s, the columns that read it are multiplied by s.
struct Folding {
    /// What makes the input.
    enum Source {
        /// A norm's weight (and bias): the input of attention and of the feed-forward part.
        case norm(TensorUse)
        /// Rows of another projection (and its bias), one row for each input: the value projection before the output
        /// projection, where every head has values of its own; the ungated half before the projection down.
        case projection(TensorUse)
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
        func part(_ name: String) -> TensorUse? { byConvention["blk.\(layer).\(name).weight"] }
        func readers(_ input: ProjectionInput) -> [TensorUse] {
            uses.filter { use in
                if case .projection(layer, let part) = use.role { return ProjectionInput(part: part) == input }
                return false
            }
        }
        var result: [Folding] = []
        if let norm = part("attn_norm") {
            result.append(Folding(input: .attention, source: .norm(norm), readers: readers(.attention)))
        }
        if let value = part("attn_v"), let output = part("attn_output"), value.shape[0] == output.shape[1] {
            result.append(Folding(input: .attentionOutput, source: .projection(value), readers: readers(.attentionOutput)))
        }
        if let norm = part("ffn_norm") {
            result.append(Folding(input: .feedForward, source: .norm(norm), readers: readers(.feedForward)))
        }
        if part("ffn_gate") != nil, let up = part("ffn_up"), let down = part("ffn_down"), up.shape[0] == down.shape[1] {
            result.append(Folding(input: .feedForwardDown, source: .projection(up), readers: readers(.feedForwardDown)))
        }
        return result.filter { !$0.readers.isEmpty }
    }

    /// Takes a shift from the input: the norm's bias less z, the readers' biases plus w · z. False where one of them has no place for it.
    ///
    /// - Parameters:
    ///   - shift: z, one for each input.
    ///   - block: the block's present weights and vectors.
    func apply(shift: [Float], to block: inout BlockWeights) throws -> Bool {
        guard case .norm(let norm) = source else { return false }
        func hasPlace(_ use: TensorUse) -> Bool {
            guard case .projection(_, let part) = use.role, !use.isTransposed else { return false }
            return CompressionJob.correctable.contains(part)
        }
        guard readers.allSatisfy(hasPlace), norm.name.hasSuffix(".weight") else { return false }
        func add(_ values: [Float], toBiasOf use: TensorUse) throws {
            try block.changeBias(of: use, absent: values.map { _ in 0 }) { present in
                for index in present.indices { present[index] += values[index] }
            }
        }
        try add(shift.map { -$0 }, toBiasOf: norm)
        for use in readers {
            let weight = block.weights[use.name]!
            let moved = (0..<weight.rows).map { row in
                var sum = 0.0
                for (value, shift) in zip(weight.row(row), shift) { sum += Double(value) * Double(shift) }
                return Float(sum)
            }
            try add(moved, toBiasOf: use)
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
        let made: TensorUse
        switch source {
        case .norm(let use):
            made = use
            try block.change(use) { values in
                for index in values.indices { values[index] = (values[index] + use.adding) / scale[index] - use.adding }
            }
        case .projection(let use):
            made = use
            let weight = block.weights[use.name]!
            for row in 0..<weight.rows {
                let values = weight.row(row)
                for column in 0..<values.count { values[column] /= scale[row] }
            }
        }
        // The file's, or one that a shift has put there.
        try block.changeBias(of: made, absent: nil) { values in for index in values.indices { values[index] /= scale[index] } }
    }
}
