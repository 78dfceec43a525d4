internal import Tensors

/// A token and its log-probability (natural logarithm).
public struct TokenLogprob: Sendable, Equatable {
    public let id: Int32
    public let logprob: Float

    public init(id: Int32, logprob: Float) {
        self.id = id
        self.logprob = logprob
    }
}

extension SamplerScratch {
    /// The model's log-probability of a token, and its most probable tokens: softmax of the raw scores, natural
    /// logarithm. For tokens that are given rather than chosen, such as a prompt's.
    ///
    /// - Parameters:
    ///   - scores: [vocabulary] the model's scores for `position`.
    ///   - token: the token that stands there, an id of the vocabulary.
    ///   - limit: how many of the most probable tokens to give, at least 0.
    ///   - position: where the token stands, for the error's sentence.
    /// - Returns: the token's log-probability, and up to `limit` tokens above -infinity, most probable first, equal
    ///   ones by ascending id.
    /// - Throws: as `Sampler.sample` for broken scores or if all are -infinity.
    /// - Complexity: O(vocabulary + limit · log limit).
    public func logprobs(
        scores: UnsafeBufferPointer<Float>, of token: Int32, top limit: Int, position: Int
    ) throws(SamplingError) -> (chosen: Float, top: [TokenLogprob]) {
        precondition(scores.count == vocabularySize && token >= 0 && Int(token) < vocabularySize && limit >= 0)
        guard try SamplerScratch.check(scores, position: position) > -.infinity else { throw .noCandidate(position: position) }
        return modelLogprobs(scores, of: token, top: limit)
    }

    /// As `logprobs`, for scores that are known to be sound.
    func modelLogprobs(
        _ row: UnsafeBufferPointer<Float>, of token: Int32, top limit: Int
    ) -> (chosen: Float, top: [TokenLogprob]) {
        let normaliser = ScalarMath.logSumExp(row)
        let chosen = Float(Double(row[Int(token)]) - normaliser)
        guard limit > 0 else { return (chosen, []) }
        _ = scores.update(fromContentsOf: row)
        var candidates = Candidates(self)
        return (chosen, candidates.highest(limit, normaliser: normaliser))
    }

    /// Refuses NaN, +infinity and magnitudes above 1e30; -infinity is a ban by the model itself. One pass in the common
    /// case.
    ///
    /// - Returns: the largest score.
    @discardableResult
    static func check(_ scores: UnsafeBufferPointer<Float>, position: Int) throws(SamplingError) -> Float {
        let (largest, bits) = ScalarMath.scan(scores)
        guard bits > Float(1e30).bitPattern else { return largest }
        for (token, score) in scores.enumerated() where score.magnitude > 1e30 || score.isNaN {
            if score.isNaN { throw .notANumber(position: position) }
            if score != -.infinity { throw .overflow(position: position, token: Int32(token), score: score) }
        }
        return largest
    }
}

extension Candidates {
    /// ln Σ e^score over the candidates.
    var logSumExp: Double { ScalarMath.logSumExp(UnsafeBufferPointer(rebasing: scores[..<count])) }

    /// The `limit` highest candidates above -infinity with score − normaliser, highest first, equal ones by ascending
    /// id. Reorders nothing outside itself, but removes the others from this value.
    mutating func highest(_ limit: Int, normaliser: Double) -> [TokenLogprob] {
        guard limit > 0 else { return [] }
        keepHighest(limit)
        var top: [(key: UInt32, id: Int32, logprob: Float)] = []
        top.reserveCapacity(count)
        for index in 0..<count where scores[index] > -.infinity {
            top.append(
                (PrefixSelection.descending(scores[index]), id(index), Float(Double(scores[index]) - normaliser)))
        }
        top.sort { ($0.key, $0.id) < ($1.key, $1.id) }
        return top.map { TokenLogprob(id: $0.id, logprob: $0.logprob) }
    }
}
