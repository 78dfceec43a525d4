/// What a draw of noise is for: two purposes never share a number.
public enum NoisePurpose: UInt32, Sendable {
    /// Which token a distribution yields.
    case token = 0
    /// Whether the sampling stage XTC removes the top choices at a position.
    case exclusion = 1
    /// A seed for a request that named none.
    case seed = 2
}
