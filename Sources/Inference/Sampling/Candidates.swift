internal import Tensors

/// The tokens still in play for one position and their scores, always in ascending token id: so every sum over them has
/// one order, and the draw walks them in that order. A candidate may have the score -infinity: it weighs nothing.
package struct Candidates {
    /// Scores of the candidates, [capacity]; the first `count` are meant.
    package let scores: UnsafeMutableBufferPointer<Float>
    /// Room for their weights.
    package let weights: UnsafeMutableBufferPointer<Float>
    /// Room for a second number for each.
    package let keys: UnsafeMutableBufferPointer<Float>
    /// Candidates left.
    package private(set) var count: Int
    /// A count for each token id of the vocabulary; whoever uses it leaves it all 0.
    package let marks: UnsafeMutableBufferPointer<Int32>
    private let scratch: SamplerScratch
    private let ids: UnsafeMutableBufferPointer<Int32>
    private let digitCounts: UnsafeMutableBufferPointer<Int>
    private let digitWeights: UnsafeMutableBufferPointer<Double>
    /// Whether candidate i is token i.
    private var isWhole = true

    /// All tokens, with the scores that stand in the scratch memory.
    package init(_ scratch: SamplerScratch) {
        scores = scratch.scores
        weights = scratch.weights
        keys = scratch.keys
        marks = scratch.marks
        self.scratch = scratch
        ids = scratch.ids
        digitCounts = scratch.digitCounts
        digitWeights = scratch.digitWeights
        count = scratch.vocabularySize
    }

    /// The token of candidate `index`.
    package func id(_ index: Int) -> Int32 { isWhole ? Int32(truncatingIfNeeded: index) : ids[index] }

    /// The candidate of a token, or nil if it was removed. O(log count).
    package func index(of id: Int32) -> Int? {
        if isWhole { return id >= 0 && Int(id) < count ? Int(id) : nil }
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if ids[middle] < id { low = middle + 1 } else { high = middle }
        }
        return low < count && ids[low] == id ? low : nil
    }

    /// Removes candidates of which `keep(index)` is false, called for each in ascending order; the rest keep their
    /// order. Weights and keys are not moved along. O(count).
    @inline(__always)
    package mutating func filter(_ keep: (Int) -> Bool) {
        var kept = 0
        let wasWhole = isWhole
        for index in 0..<count where keep(index) {
            ids[kept] = wasWhole ? Int32(truncatingIfNeeded: index) : ids[index]
            scores[kept] = scores[index]
            kept += 1
        }
        isWhole = wasWhole && kept == count
        count = kept
    }

    /// As `filter`, with the weights and keys moved along. Each candidate is written before it is known to stay: by
    /// mass, about half of them may, which no branch predicts.
    @inline(__always)
    private mutating func filterWithWeights(_ keep: (Int) -> Bool) {
        var kept = 0
        let wasWhole = isWhole
        for index in 0..<count {
            let stays = keep(index)
            ids[kept] = wasWhole ? Int32(truncatingIfNeeded: index) : ids[index]
            scores[kept] = scores[index]
            weights[kept] = weights[index]
            keys[kept] = keys[index]
            kept += stays ? 1 : 0
        }
        isWhole = wasWhole && kept == count
        count = kept
    }

    /// Leaves one token, in play whatever its score was.
    package mutating func force(_ id: Int32) {
        ids[0] = id
        scores[0] = 0
        count = 1
        isWhole = false
    }

    /// Sets a token's score to -infinity.
    package func ban(_ id: Int32) {
        if let index = index(of: id) { scores[index] = -.infinity }
    }

    /// The highest score, -infinity if none is left.
    package var highest: Float { ScalarMath.maximum(UnsafeBufferPointer(rebasing: scores[..<count])) }

    /// The candidate with the highest score, the lowest token id among equals; nil if every score is -infinity.
    package var argmax: Int? { Candidates.argmax(UnsafeBufferPointer(rebasing: scores[..<count])) }

    /// Fills the weights with e^(score − highest) and returns their sum, at least 1; nil if every score is -infinity.
    /// O(count).
    package func weigh() -> (highest: Float, total: Double)? {
        let highest = highest
        guard highest > -.infinity else { return nil }
        let row = UnsafeBufferPointer(rebasing: scores[..<count])
        let total = ScalarMath.exponentials(
            row, shift: highest, into: UnsafeMutableBufferPointer(rebasing: weights[..<count]))
        return (highest, total)
    }

    /// Keeps the first `limit` candidates in descending score (equal scores: ascending id). O(count), no sorting.
    package mutating func keepHighest(_ limit: Int) {
        guard limit < count else { return }
        let row = scores
        keepPrefix(until: .count(limit)) { PrefixSelection.descending(row[$0]) }
    }

    /// Keeps the shortest prefix that reaches `goal` when candidates are ordered by ascending key (equal keys:
    /// ascending id). Keys come from the scores, or for a goal of weight from `keys`. Goals of weight refer to
    /// `weights`; a sum of weights is taken digit by digit, over a digit's candidates in ascending id, then over
    /// ascending digits. O(count), no sorting.
    @inline(__always)
    package mutating func keepPrefix(until goal: PrefixSelection.Goal, key: (Int) -> UInt32) {
        let weights = weights
        var prefix: UInt32 = 0
        var shift: UInt32 = 32
        var countBefore = 0
        var weightBefore = 0.0
        for pass in 0..<3 {
            let mask: UInt32 = pass == 0 ? 0 : ~0 << shift
            let size = pass == 0 ? PrefixSelection.digits : 1024
            shift -= pass == 0 ? 12 : 10
            let digit: Int
            switch goal {
            case .count(let limit):
                let totals = UnsafeMutableBufferPointer(rebasing: digitCounts[..<size])
                totals.update(repeating: 0)
                for index in 0..<count {
                    let key = key(index)
                    if key & mask == prefix { totals[Int(key >> shift) & (size - 1)] += 1 }
                }
                (digit, countBefore) = PrefixSelection.digit(
                    UnsafeBufferPointer(totals), from: countBefore, reaching: limit)
            case .weight(let limit):
                let totals = UnsafeMutableBufferPointer(rebasing: digitWeights[..<size])
                totals.update(repeating: 0)
                for index in 0..<count {
                    let key = key(index)
                    if key & mask == prefix { totals[Int(key >> shift) & (size - 1)] += Double(weights[index]) }
                }
                (digit, weightBefore) = PrefixSelection.digit(
                    UnsafeBufferPointer(totals), from: weightBefore, reaching: limit)
            }
            prefix |= UInt32(digit) << shift
            // What lies beyond the digit is out already: the next pass has less to look at.
            let end = prefix | ~(~0 << shift)
            switch goal {
            case .count: filter { key($0) <= end }
            case .weight: filterWithWeights { key($0) <= end }
            }
        }
        switch goal {
        case .count(let limit):
            var ties = limit - countBefore
            filter { index in
                if key(index) < prefix { return true }
                ties -= 1
                return ties >= 0
            }
        case .weight(let limit):
            var weight = weightBefore
            filterWithWeights { index in
                if key(index) < prefix { return true }
                defer { weight += Double(weights[index]) }
                return weight < limit
            }
        }
    }

    /// Room for the sum of each block of weights of a draw.
    func blockSums(atLeast count: Int) -> UnsafeMutableBufferPointer<Double> {
        precondition(count <= scratch.blockSums.count)
        return scratch.blockSums
    }

    /// Room for a number for each of `count` tokens of the history.
    package func lengths(atLeast count: Int) -> UnsafeMutableBufferPointer<Int32> { scratch.lengths(atLeast: count) }

    /// The place of the highest of a row, the first among equals; nil if all are -infinity. NaN is passed over.
    static func argmax(_ row: UnsafeBufferPointer<Float>) -> Int? {
        let largest = ScalarMath.maximum(row)
        return largest > -.infinity ? ScalarMath.firstIndex(of: largest, in: row) : nil
    }
}
