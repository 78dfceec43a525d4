extension Candidates {
    /// The candidate that a draw gave, and the probability it had.
    package struct Draw {
        package let index: Int
        package let probability: Double

        package init(index: Int, probability: Double) {
            self.index = index
            self.probability = probability
        }
    }

    /// The candidate at `uniform` (from [0, 1)) of the cumulative distribution in ascending token id; nil if every
    /// score is -infinity. O(count).
    ///
    /// The weights e^(score − highest) are added in blocks of 1024 candidates: inside a block in four interleaved
    /// lanes, folded as (0 + 2) + (1 + 3); blocks ascending. The first block whose running sum exceeds uniform · total
    /// is walked one by one; the draw is the first candidate whose running sum exceeds it, or, where rounding leaves
    /// none, the block's last candidate with a weight.
    package func draw(_ uniform: Double) -> Draw? {
        guard weigh() != nil else { return nil }
        let blocks = (count + Candidates.block - 1) / Candidates.block
        let sums = blockSums(atLeast: blocks)
        var total = 0.0
        for block in 0..<blocks {
            sums[block] = blockWeight(block * Candidates.block)
            total += sums[block]
        }
        let target = uniform * total
        var place = 0
        var before = 0.0
        var running = 0.0
        for block in 0..<blocks where sums[block] > 0 {
            (place, before) = (block * Candidates.block, running)
            running += sums[block]
            if running > target { break }
        }
        var sum = before
        var last = place
        for index in place..<min(count, place + Candidates.block) where weights[index] > 0 {
            last = index
            sum += Double(weights[index])
            if sum > target { break }
        }
        return Draw(index: last, probability: Double(weights[last]) / total)
    }

    static var block: Int { 1024 }

    private func blockWeight(_ start: Int) -> Double {
        let end = min(count, start + Candidates.block)
        var a = 0.0
        var b = 0.0
        var c = 0.0
        var d = 0.0
        var index = start
        while index + 4 <= end {
            a += Double(weights[index])
            b += Double(weights[index + 1])
            c += Double(weights[index + 2])
            d += Double(weights[index + 3])
            index += 4
        }
        if index < end { a += Double(weights[index]) }
        if index + 1 < end { b += Double(weights[index + 1]) }
        if index + 2 < end { c += Double(weights[index + 2]) }
        return (a + c) + (b + d)
    }
}
