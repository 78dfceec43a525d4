/// A figure with its standard error.
public struct Estimate: Sendable, Equatable {
    public let value: Double
    /// One standard error; 0 where there is too little to tell.
    public let standardError: Double

    public init(value: Double, standardError: Double) {
        self.value = value
        self.standardError = standardError
    }

    /// The interval at 95 %.
    public var interval: ClosedRange<Double> {
        value - Statistics.z95 * standardError...value + Statistics.z95 * standardError
    }
}

/// How far a model is from the base on a text, token by token.
///
/// Errors are those of means of blocks of successive tokens, since neighbours are alike; differences from the base are
/// taken token by token before anything is averaged, so that what is hard in the text itself cancels.
public struct Divergence: Sendable, Equatable {
    /// Tokens scored.
    public let tokens: Int
    /// e^(mean surprise) of this model.
    public let perplexity: Estimate
    /// e^(mean difference of surprise): this model's perplexity over the base's.
    public let perplexityRatio: Estimate
    /// KL divergence from the base in nats at temperature 1: mean over the text's places.
    public let kl: Estimate
    /// The divergence that half of all places stay below, 99 % stay below, and the largest.
    public let klMedian: Double
    public let kl99: Double
    public let klLargest: Double
    /// The share of places where both models' likeliest token is the same.
    public let top1: Estimate
    /// The same at other temperatures, in the order in which they were asked for, 1 first.
    public let temperatures: [AtTemperature]

    public struct AtTemperature: Sendable, Equatable {
        public let temperature: Float
        /// Mean divergence, both distributions at this temperature.
        public let kl: Double
        /// The share of places where a draw with equal noise gives the same token.
        public let sameDraw: Double
    }
}

/// What was gathered of a model over a text, 4 bytes a figure.
struct DivergenceRecord {
    /// By scored token.
    var surprise: [Float] = []
    var difference: [Float] = []
    var divergence: [Float] = []
    var sameTop: [Float] = []
    /// By temperature.
    var divergenceSums: [Double]
    var sameDraws: [Int]
    let temperatures: [Float]

    init(temperatures: [Float], tokens: Int) {
        self.temperatures = temperatures
        divergenceSums = Array(repeating: 0, count: temperatures.count)
        sameDraws = Array(repeating: 0, count: temperatures.count)
        surprise.reserveCapacity(tokens)
        difference.reserveCapacity(tokens)
        divergence.reserveCapacity(tokens)
        sameTop.reserveCapacity(tokens)
    }

    mutating func append(_ row: RowDifference, baseSurprise: Float) {
        surprise.append(row.surprise)
        difference.append(row.surprise - baseSurprise)
        divergence.append(row.divergence[0])
        sameTop.append(row.sameTop ? 1 : 0)
        for index in temperatures.indices {
            divergenceSums[index] += Double(row.divergence[index])
            sameDraws[index] += row.sameDraw[index] ? 1 : 0
        }
    }

    var figures: Divergence {
        let sorted = divergence.sorted()
        let count = Double(divergence.count)
        return Divergence(
            tokens: divergence.count, perplexity: Statistics.blockMean(surprise).exponential,
            perplexityRatio: Statistics.blockMean(difference).exponential, kl: Statistics.blockMean(divergence),
            klMedian: Statistics.quantile(0.5, ofSorted: sorted), kl99: Statistics.quantile(0.99, ofSorted: sorted),
            klLargest: Double(sorted.last ?? 0), top1: Statistics.blockMean(sameTop),
            temperatures: temperatures.indices.map {
                Divergence.AtTemperature(
                    temperature: temperatures[$0], kl: divergenceSums[$0] / count,
                    sameDraw: Double(sameDraws[$0]) / count)
            })
    }
}
