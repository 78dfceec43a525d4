internal import Tensors

/// A projection: x · weightᵀ + bias. Every projection of a model goes through here.
struct Linear: Sendable {
    var weight: PackedWeight
    var bias: Vector?

    func callAsFunction(_ input: ProductInput, into out: Rows, _ ops: Ops) {
        ops.product(input, weight, into: out)
        addBias(to: out, ops)
    }

    private func addBias(to out: Rows, _ ops: Ops) {
        if let bias { ops.add(out, bias: bias) }
    }
}

extension Linear {
    /// Two projections of one input at once.
    static func both(_ input: ProductInput, _ a: (Linear, Rows), _ b: (Linear, Rows), _ ops: Ops) {
        ops.products(input, (a.0.weight, a.1), (b.0.weight, b.1))
        a.0.addBias(to: a.1, ops)
        b.0.addBias(to: b.1, ops)
    }

    /// Three projections of one input at once.
    static func all(_ input: ProductInput, _ a: (Linear, Rows), _ b: (Linear, Rows), _ c: (Linear, Rows), _ ops: Ops) {
        ops.products(input, (a.0.weight, a.1), (b.0.weight, b.1), (c.0.weight, c.1))
        a.0.addBias(to: a.1, ops)
        b.0.addBias(to: b.1, ops)
        c.0.addBias(to: c.1, ops)
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
