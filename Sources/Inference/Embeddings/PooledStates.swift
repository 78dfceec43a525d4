/// How the hidden states of a text become one vector.
public enum EmbeddingPooling: String, Sendable, CaseIterable {
    /// The state of the last token, which has seen all others.
    case last
    /// The mean of all tokens' states.
    case mean
}

/// The sum of a text's final hidden states, added along the text in double precision: so a vector depends on the model, the tokens
/// and the cache type alone.
final class PooledStates {
    let pooling: EmbeddingPooling
    /// Tokens from the beginning whose states are dealt with. What is computed again after a preemption is not added again.
    private(set) var done = 0
    /// [width]
    private var sums: [Double]

    init(_ pooling: EmbeddingPooling, width: Int) {
        self.pooling = pooling
        sums = Array(repeating: 0, count: width)
    }

    /// Whether the state at a position is needed.
    func wants(_ position: Int, of count: Int) -> Bool {
        position >= done && (pooling == .mean || position == count - 1)
    }

    /// Adds the state at a position, which is the next one wanted.
    func add(_ state: UnsafeBufferPointer<Float>, at position: Int) {
        precondition(position >= done && state.count == sums.count)
        for element in state.indices { sums[element] += Double(state[element]) }
        done = position + 1
    }

    /// Scaled to length 1, so that the mean needs no division; nil where the sum has no finite length.
    var unit: [Float]? {
        let length = sums.reduce(0) { $0 + $1 * $1 }.squareRoot()
        guard length.isFinite, length > 0 else { return nil }
        return sums.map { Float($0 / length) }
    }
}
