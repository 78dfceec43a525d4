/// Working memory for choosing tokens, allocated once for an engine (or once for each thread that samples) and shared
/// by all requests, so that choosing a token allocates nothing. Not for two calls at once.
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
    /// [vocabulary] a count for each token id; all 0 between uses.
    let marks: UnsafeMutableBufferPointer<Int32>
    /// A number for each token of the longest history that a stage had to compare with itself so far.
    private var lengths = UnsafeMutableBufferPointer<Int32>(start: nil, count: 0)
    /// [4096] candidates, and [4096] their weight, for each value of a digit of the selection key.
    let digitCounts: UnsafeMutableBufferPointer<Int>
    let digitWeights: UnsafeMutableBufferPointer<Double>
    /// Sums of blocks of weights.
    let blockSums: UnsafeMutableBufferPointer<Double>

    /// 20 bytes for each token of the vocabulary and 64 KiB; 4 bytes for each token of a history under DRY.
    public init(vocabularySize: Int) {
        precondition(vocabularySize > 0 && vocabularySize <= Int(Int32.max))
        self.vocabularySize = vocabularySize
        scores = .allocate(capacity: vocabularySize)
        weights = .allocate(capacity: vocabularySize)
        keys = .allocate(capacity: vocabularySize)
        ids = .allocate(capacity: vocabularySize)
        marks = .allocate(capacity: vocabularySize)
        digitCounts = .allocate(capacity: PrefixSelection.digits)
        digitWeights = .allocate(capacity: PrefixSelection.digits)
        blockSums = .allocate(capacity: vocabularySize / Candidates.block + 1)
        blockSums.initialize(repeating: 0)
        scores.initialize(repeating: 0)
        weights.initialize(repeating: 0)
        keys.initialize(repeating: 0)
        ids.initialize(repeating: 0)
        marks.initialize(repeating: 0)
        digitCounts.initialize(repeating: 0)
        digitWeights.initialize(repeating: 0)
    }

    deinit {
        scores.deallocate()
        weights.deallocate()
        keys.deallocate()
        ids.deallocate()
        marks.deallocate()
        lengths.deallocate()
        digitCounts.deallocate()
        digitWeights.deallocate()
        blockSums.deallocate()
    }

    /// Room for a number for each of `count` tokens; grows to twice the need, so rarely.
    func lengths(atLeast count: Int) -> UnsafeMutableBufferPointer<Int32> {
        if lengths.count < count {
            lengths.deallocate()
            lengths = .allocate(capacity: 2 * count)
            lengths.initialize(repeating: 0)
        }
        return lengths
    }
}
