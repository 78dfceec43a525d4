internal import Tensors

/// A projection: x · weightᵀ + bias, and what corrects a quantized weight. Every projection of a model goes through here.
struct Linear: Sendable {
    var weight: PackedWeight
    var bias: Vector?
    var correction: Correction?

    /// Whether the outputs are the product alone.
    var isPlain: Bool { bias == nil && correction == nil }

    func callAsFunction(_ input: ProductInput, into out: Rows, _ ops: Ops) {
        ops.product(input, weight, into: out)
        complete(out, input, ops)
    }

    private func complete(_ out: Rows, _ input: ProductInput, _ ops: Ops) {
        if let correction { ops.correct(out, input, correction) }
        if let bias { ops.add(out, bias: bias) }
    }
}

extension Linear {
    /// Two projections of one input at once.
    static func both(_ input: ProductInput, _ a: (Linear, Rows), _ b: (Linear, Rows), _ ops: Ops) {
        ops.products(input, (a.0.weight, a.1), (b.0.weight, b.1))
        a.0.complete(a.1, input, ops)
        b.0.complete(b.1, input, ops)
    }

    /// Three projections of one input at once.
    static func all(_ input: ProductInput, _ a: (Linear, Rows), _ b: (Linear, Rows), _ c: (Linear, Rows), _ ops: Ops) {
        ops.products(input, (a.0.weight, a.1), (b.0.weight, b.1), (c.0.weight, c.1))
        a.0.complete(a.1, input, ops)
        b.0.complete(b.1, input, ops)
        c.0.complete(c.1, input, ops)
    }
}

/// RMSNorm, or LayerNorm where there is a bias.
struct Norm: Sendable {
    var weight: Vector
    var bias: Vector?
    /// Added to what an RMSNorm makes: no model has it as it is published, compression may fold it in.
    var shift: Vector?
    var epsilon: Float

    func callAsFunction(_ x: Rows, into out: Rows, _ ops: Ops) {
        if let bias {
            ops.layerNorm(x, weight: weight, bias: bias, epsilon: epsilon, into: out)
        } else {
            ops.rmsNorm(x, weight: weight, shift: shift, epsilon: epsilon, into: out)
        }
    }
}
