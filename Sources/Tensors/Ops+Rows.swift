internal import CKernels

/// Which two elements of a head turn together.
public enum RotationPairing: Sendable {
    /// Element i with element i + half.
    case halves
    /// Element 2i with element 2i + 1.
    case neighbours
}

extension Ops {
    /// RMSNorm: x / √(mean(x²) + ε) · weight + shift, over each of the `weight.count`-wide segments of a row. In place allowed.
    public func rmsNorm(_ x: Rows, weight: Vector, shift: Vector? = nil, epsilon: Float, into out: Rows) {
        precondition(shift == nil || shift!.count == weight.count)
        norm(x, weight: weight, bias: shift, epsilon: epsilon, subtractMean: false, into: out)
    }

    /// LayerNorm: (x − mean) / √(variance + ε) · weight + bias.
    public func layerNorm(_ x: Rows, weight: Vector, bias: Vector, epsilon: Float, into out: Rows) {
        precondition(bias.count == weight.count)
        norm(x, weight: weight, bias: bias, epsilon: epsilon, subtractMean: true, into: out)
    }

    private func norm(
        _ x: Rows, weight: Vector, bias: Vector?, epsilon: Float, subtractMean: Bool, into out: Rows
    ) {
        precondition(x.width % weight.count == 0 && out.width == x.width && out.count == x.count)
        let segments = x.width / weight.count
        var arguments = apus_norm_arguments(
            x: x.base, stride: Int64(x.stride), out: out.base, out_stride: Int64(out.stride),
            width: Int64(weight.count), segments: Int64(segments), weight: weight.base, bias: bias?.base,
            epsilon: epsilon, subtract_mean: subtractMean ? 1 : 0)
        run(table.norm, &arguments, items: x.count * segments, nanoseconds: x.count * x.width / 4)
    }

    /// cos and sin of position × frequency for each row of the batch, [rows, half], times a factor.
    ///
    /// - Parameters:
    ///   - batch: the rows' positions and variants.
    ///   - variants: [variants, half] frequencies; a row's variant chooses, one beyond the last takes the last.
    ///   - factor: on cosines and sines.
    ///   - cosines: [rows, half].
    ///   - sines: [rows, half].
    public func angles(_ batch: BatchRows, variants: Vector, factor: Float, cosines: Rows, sines: Rows) {
        let half = cosines.width
        precondition(half > 0 && variants.count % half == 0 && variants.count > 0 && sines.width == half)
        precondition(cosines.count == batch.count && sines.count == batch.count)
        // The kernel writes rows packed at their width, which is what `rotate` reads.
        var arguments = apus_angles_arguments(
            positions: batch.positions, variants: batch.variants, frequencies: variants.base,
            variant_count: Int64(variants.count / half), half: Int64(half), factor: factor, cosines: cosines.base,
            sines: sines.base)
        run(table.angles, &arguments, items: batch.count, nanoseconds: batch.count * half * 40)
    }

    /// Rotates the first 2 × (angles per row) elements of every head of width `headWidth`, in place.
    public func rotate(_ x: Rows, headWidth: Int, cosines: Rows, sines: Rows, pairing: RotationPairing) {
        precondition(x.width % headWidth == 0 && 2 * cosines.width <= headWidth && cosines.count == x.count)
        var arguments = apus_rotate_arguments(
            x: x.base, stride: Int64(x.stride), heads: Int64(x.width / headWidth), head_dim: Int64(headWidth),
            half: Int64(cosines.width), cosines: cosines.base, sines: sines.base,
            interleaved: pairing == .neighbours ? 1 : 0)
        run(table.rotate, &arguments, items: x.count, nanoseconds: x.count * x.width)
    }

    /// x += y.
    public func add(_ x: Rows, _ y: Rows) {
        precondition(y.width == x.width && y.count == x.count)
        elementwise(table.add, x, other: y.base, otherStride: y.stride)
    }

    /// x += bias, for every row.
    public func add(_ x: Rows, bias: Vector) {
        precondition(bias.count == x.width)
        elementwise(table.add, x, other: UnsafeMutablePointer(mutating: bias.base), otherStride: 0)
    }

    /// x ×= factor.
    public func scale(_ x: Rows, by factor: Float) { elementwise(table.scale, x, factor: factor) }

    /// gate = SiLU(gate) × up.
    public func gatedSiLU(_ gate: Rows, _ up: Rows) { gated(table.gated_silu, gate, up) }

    /// gate = GELU(gate) × up, GELU in its tanh form.
    public func gatedGELU(_ gate: Rows, _ up: Rows) { gated(table.gated_gelu, gate, up) }

    /// x = GELU(x) in its tanh form.
    public func gelu(_ x: Rows) { elementwise(table.gelu, x) }

    /// x = cap · tanh(x / cap).
    public func softCap(_ x: Rows, cap: Float) { elementwise(table.soft_cap, x, factor: cap) }

    private func gated(_ operation: apus_operation, _ gate: Rows, _ up: Rows) {
        precondition(up.width == gate.width && up.count == gate.count)
        elementwise(operation, gate, other: up.base, otherStride: up.stride)
    }

    private func elementwise(
        _ operation: apus_operation, _ x: Rows, other: UnsafeMutablePointer<Float>? = nil, otherStride: Int = 0,
        factor: Float = 0
    ) {
        var arguments = apus_elementwise_arguments(
            x: x.base, stride: Int64(x.stride), other: other, other_stride: Int64(otherStride),
            width: Int64(x.width), factor: factor)
        run(operation, &arguments, items: x.count, nanoseconds: x.count * x.width)
    }
}
