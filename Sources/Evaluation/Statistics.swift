internal import Foundation

/// The figures that measurements report, from counts.
public enum Statistics {
    /// The standard normal's quantile for 95 % in the middle.
    static let z95 = 1.959963984540054

    /// The interval of a share at 95 % (Wilson, "Probable inference, the law of succession, and statistical inference",
    /// Journal of the American Statistical Association 22, 1927).
    ///
    /// - Parameters:
    ///   - share: 0...1.
    ///   - trials: how many independent trials it comes from, not necessarily whole; above 0.
    public static func wilsonInterval(share: Double, trials: Double) -> ClosedRange<Double> {
        precondition((0...1).contains(share) && trials > 0)
        let square = z95 * z95
        let middle = (share + square / (2 * trials)) / (1 + square / trials)
        let half =
            z95 / (1 + square / trials)
            * (share * (1 - share) / trials + square / (4 * trials * trials)).squareRoot()
        // At 0 and 1 an end is exactly there; rounding must not push it past the share.
        return max(0, min(middle - half, share))...min(1, max(middle + half, share))
    }

    /// How likely at least one of `k` samples is right, estimated without bias from `samples` of which `right` are: 1 less
    /// the chance that k drawn from them without replacement are all wrong (Chen et al., "Evaluating Large Language Models
    /// Trained on Code", arXiv 2107.03374, equation 1).
    ///
    /// - Parameter k: 1...samples.
    public static func passAtK(samples: Int, right: Int, k: Int) -> Double {
        precondition((1...samples).contains(k) && (0...samples).contains(right))
        if samples - right < k { return 1 }
        // C(n - c, k) / C(n, k) as a product, so that nothing overflows.
        return 1 - (0..<right).reduce(1.0) { $0 * (1 - Double(k) / Double(samples - $1)) }
    }

    /// What most votes name; of equals the one that came first. Nil votes do not count; nil where there are no others.
    ///
    /// Taking the answer of most samples is Wang et al., "Self-Consistency Improves Chain of Thought Reasoning in Language
    /// Models", arXiv 2203.11171.
    public static func majority<Vote: Hashable>(_ votes: some Sequence<Vote?>) -> Vote? {
        var counts: [Vote: Int] = [:]
        var order: [Vote] = []
        for case let vote? in votes {
            if counts[vote] == nil { order.append(vote) }
            counts[vote, default: 0] += 1
        }
        let most = counts.values.max()
        return order.first { counts[$0] == most }
    }

    /// The area under the receiver's operating curve: how likely a good thing's score is above a bad one's, equal scores
    /// counted half (Mann & Whitney's U as a share).
    ///
    /// - Returns: nil where there is no good or no bad thing.
    /// - Complexity: O(n log n).
    public static func areaUnderCurve(_ scored: [(score: Double, isGood: Bool)]) -> Double? {
        let good = scored.count(where: \.isGood)
        let bad = scored.count - good
        guard good > 0, bad > 0 else { return nil }
        let sorted = scored.sorted { $0.score < $1.score }
        // Twice the pairs that are in order, so that halves stay whole.
        var twice = 0
        var badBelow = 0
        var place = 0
        while place < sorted.count {
            let equals = sorted[place...].prefix { $0.score == sorted[place].score }
            let goodHere = equals.count(where: \.isGood)
            let badHere = equals.count - goodHere
            twice += goodHere * (2 * badBelow + badHere)
            badBelow += badHere
            place = equals.endIndex
        }
        return Double(twice) / 2 / Double(good) / Double(bad)
    }

    /// The mean of values that stand in a row, with the standard error of the means of blocks of them: neighbours in a text are alike,
    /// and counting them as independent would make the error too small.
    ///
    /// The row is cut into blocks of 256 values, or shorter ones such that there are 16; the last block takes what is left. With block
    /// means mₖ over nₖ of n values and K blocks the variance is K / (K − 1) · Σ (nₖ / n)² (mₖ − m)².
    ///
    /// - Parameter values: at least one.
    static func blockMean(_ values: [Float]) -> Estimate {
        precondition(!values.isEmpty)
        let length = max(1, min(256, values.count / 16))
        let blocks = max(1, values.count / length)
        let means = (0..<blocks).map { block -> (mean: Double, share: Double) in
            let end = block == blocks - 1 ? values.count : (block + 1) * length
            let part = values[block * length..<end]
            return (
                part.reduce(0) { $0 + Double($1) } / Double(part.count), Double(part.count) / Double(values.count)
            )
        }
        let mean = values.reduce(0) { $0 + Double($1) } / Double(values.count)
        guard blocks > 1 else { return Estimate(value: mean, standardError: 0) }
        let spread = means.reduce(0) { $0 + $1.share * $1.share * ($1.mean - mean) * ($1.mean - mean) }
        return Estimate(
            value: mean, standardError: (spread * Double(blocks) / Double(blocks - 1)).squareRoot())
    }

    /// A quantile by linear interpolation between the values around it.
    ///
    /// - Parameters:
    ///   - share: 0...1.
    ///   - sorted: ascending, at least one.
    static func quantile(_ share: Double, ofSorted sorted: [Float]) -> Double {
        let place = share * Double(sorted.count - 1)
        let (below, above) = (sorted[Int(place)], sorted[min(Int(place) + 1, sorted.count - 1)])
        return Double(below) + (place - place.rounded(.down)) * (Double(above) - Double(below))
    }
}

extension Estimate {
    /// e^ of the figure, the error carried along to first order.
    var exponential: Estimate { Estimate(value: exp(value), standardError: exp(value) * standardError) }
}
