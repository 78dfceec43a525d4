internal import Checkpoints
internal import Models
internal import Tensors

/// The projections of one block as floats, and those of its vectors that a method has changed.
struct BlockWeights {
    let checkpoint: Checkpoint
    /// [outputs, inputs] by the file's names.
    var weights: [String: Matrix] = [:]
    /// As the file stores them.
    var vectors: [String: [Float]] = [:]

    /// Reads the projections of a block.
    init(_ checkpoint: Checkpoint, _ uses: [TensorUse]) throws {
        self.checkpoint = checkpoint
        for use in uses { weights[use.name] = try Self.read(checkpoint, use) }
    }

    /// A weight as floats, [outputs, inputs].
    static func read(_ checkpoint: Checkpoint, _ use: TensorUse) throws -> Matrix {
        let shape = use.isTransposed ? Array(use.shape.reversed()) : use.shape
        let tensor = try checkpoint.require(use.name, shape: shape)
        let stored = Matrix(Weight(type: tensor.type, outputs: shape[0], inputs: shape[1], bytes: tensor.bytes))
        tensor.file.dontNeed(tensor.range)
        for row in 0..<stored.rows where !stored.row(row).allSatisfy(\.isFinite) {
            throw CompressionError(
                "tensor \(use.name) has a number in row \(row) that is not finite; the model file is damaged")
        }
        return use.isTransposed ? stored.transposed : stored
    }

    /// Changes a vector, from the file's numbers at first.
    mutating func change(_ use: TensorUse, _ body: (inout [Float]) -> Void) throws {
        var values: [Float]
        if let present = vectors[use.name] {
            values = present
        } else {
            let tensor = try checkpoint.require(use.name, shape: use.shape)
            values = Weight(type: tensor.type, outputs: 1, inputs: use.shape[0], bytes: tensor.bytes).floats(ofRow: 0)
        }
        body(&values)
        vectors[use.name] = values
    }

    /// Changes the bias of a norm or a projection: its present numbers, the file's, or where there are none `absent`; nil leaves none.
    mutating func changeBias(of use: TensorUse, absent: [Float]?, _ body: (inout [Float]) -> Void) throws {
        let name = String(use.name.dropLast(".weight".count)) + ".bias"
        if vectors[name] == nil, let stored = checkpoint.rawTensor(named: name) {
            var bias = use
            (bias.name, bias.shape) = (name, stored.shape)
            return try change(bias, body)
        }
        guard var values = vectors[name] ?? absent else { return }
        body(&values)
        vectors[name] = values
    }

    /// These weights and vectors in the place of the file's.
    var overlay: WeightOverlay {
        var overlay = WeightOverlay()
        overlay.weights = weights
        overlay.vectors = vectors
        return overlay
    }
}
