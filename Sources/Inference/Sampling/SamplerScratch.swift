/// Working memory for choosing tokens, allocated once for an engine (or once for each thread that samples) and shared by
/// all requests, so that choosing a token allocates nothing. Not for two calls at once.
public final class SamplerScratch {
    /// Scores in a row.
    public let vocabularySize: Int
    /// [vocabulary] scores of the candidates, in ascending token id.
    let scores: UnsafeMutableBufferPointer<Float>
    /// [vocabulary] weights e^(score − highest score) of the candidates.
    let weights: UnsafeMutableBufferPointer<Float>
    /// [vocabulary] a second set of weights or keys, for stages that compare two.
    let keys: UnsafeMutableBufferPointer<Float>
    /// [vocabulary] token ids of the candidates, ascending; unused while every token is one.
    let ids: UnsafeMutableBufferPointer<Int32>
    /// [4096] candidates, and [4096] their weight, for each value of a digit of the selection key.
    let digitCounts: UnsafeMutableBufferPointer<Int>
    let digitWeights: UnsafeMutableBufferPointer<Double>

    /// 16 bytes for each token of the vocabulary and 64 KiB.
    public init(vocabularySize: Int) {
        precondition(vocabularySize > 0 && vocabularySize <= Int(Int32.max))
        self.vocabularySize = vocabularySize
        scores = .allocate(capacity: vocabularySize)
        weights = .allocate(capacity: vocabularySize)
        keys = .allocate(capacity: vocabularySize)
        ids = .allocate(capacity: vocabularySize)
        digitCounts = .allocate(capacity: PrefixSelection.digits)
        digitWeights = .allocate(capacity: PrefixSelection.digits)
        scores.initialize(repeating: 0)
        weights.initialize(repeating: 0)
        keys.initialize(repeating: 0)
        ids.initialize(repeating: 0)
        digitCounts.initialize(repeating: 0)
        digitWeights.initialize(repeating: 0)
    }

    deinit {
        scores.deallocate()
        weights.deallocate()
        keys.deallocate()
        ids.deallocate()
        digitCounts.deallocate()
        digitWeights.deallocate()
    }
}
