internal import Tensors

/// A projection: x · weightᵀ + bias. Every projection of a model goes through here.
struct Linear: Sendable {
    var weight: Weight
    var bias: Vector?

    func callAsFunction(_ input: ProductInput, into out: Rows, _ ops: Ops) {
        ops.product(input, weight, into: out)
        if let bias { ops.add(out, bias: bias) }
    }
}

/// RMSNorm, or LayerNorm where there is a bias.
struct Norm: Sendable {
    var weight: Vector
    var bias: Vector?
    var epsilon: Float

    func callAsFunction(_ x: Rows, into out: Rows, _ ops: Ops) {
        if let bias {
            ops.layerNorm(x, weight: weight, bias: bias, epsilon: epsilon, into: out)
        } else {
            ops.rmsNorm(x, weight: weight, epsilon: epsilon, into: out)
        }
    }
}
