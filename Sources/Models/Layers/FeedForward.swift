internal import Tensors

/// The feed-forward part of a block: gated (act(gate x) × up x) or plain (act(up x)), then projected down.
struct FeedForward: Sendable {
    typealias Activation = GateActivation

    var gate: Linear?
    var up: Linear
    var down: Linear
    var activation: Activation

    /// Reads `scratch.normed`, writes `scratch.projected`. False where a tap has ended the block.
    func callAsFunction(layer: Int, _ batch: Batch, _ scratch: Scratch) -> Bool {
        let ops = scratch.ops
        let count = batch.rows.count
        guard scratch.goesOn(layer, .feedForward, scratch.normed.rows(count)) else { return false }
        let input = ops.input(scratch.normed.rows(count))
        let inner = scratch.gate.rows(count).columns(0, width: up.weight.outputs)
        if let gate {
            let ups = scratch.up.rows(count).columns(0, width: up.weight.outputs)
            if gate.isPlain, up.isPlain {
                ops.gatedProducts(input, gate: (gate.weight, inner), up: (up.weight, ups), activation)
            } else {
                Linear.both(input, (gate, inner), (up, ups), ops)
                switch activation {
                case .silu: ops.gatedSiLU(inner, ups)
                case .gelu: ops.gatedGELU(inner, ups)
                }
            }
        } else {
            up(input, into: inner, ops)
            ops.gelu(inner)
        }
        guard scratch.goesOn(layer, .feedForwardDown, inner) else { return false }
        down(ops.input(inner), into: scratch.projected.rows(count), ops)
        return true
    }
}
