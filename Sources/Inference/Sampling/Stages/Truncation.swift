internal import Tensors

/// Keeps the k highest scores; among equal scores the lower token id (Fan, Lewis & Dauphin, "Hierarchical Neural Story
/// Generation", 2018).
package struct TopK: SamplingStage {
    let k: Int
    package var preservesArgmax: Bool { true }

    package init?(parameters: SamplingParameters, vocabulary: SamplingVocabulary) {
        guard parameters.topK > 0, parameters.topK < vocabulary.size else { return nil }
        k = parameters.topK
    }

    package func apply(to candidates: inout Candidates, in context: StageContext) { candidates.keepHighest(k) }
}

/// Keeps the fewest most probable tokens whose probabilities add to at least p; among equal ones the lower token id
/// (Holtzman et al., "The Curious Case of Neural Text Degeneration", 2020, section 3.1). At least one stays.
package struct TopP: SamplingStage {
    let p: Double
    package var preservesArgmax: Bool { true }

    package init?(parameters: SamplingParameters, vocabulary: SamplingVocabulary) {
        guard parameters.topP < 1 else { return nil }
        p = Double(parameters.topP)
    }

    package func apply(to candidates: inout Candidates, in context: StageContext) {
        guard let (_, total) = candidates.weigh() else { return }
        let scores = candidates.scores
        candidates.keepPrefix(until: .weight(p * total)) { PrefixSelection.descending(scores[$0]) }
    }
}

/// Keeps the tokens whose probability is at least p times the highest one (Nguyen et al., "Turning Up the Heat: Min-p
/// Sampling for Creative and Coherent LLM Outputs", 2024, section 3): x ≥ max + ln p.
package struct MinP: SamplingStage {
    let logarithm: Float
    package var preservesArgmax: Bool { true }

    package init?(parameters: SamplingParameters, vocabulary: SamplingVocabulary) {
        guard parameters.minP > 0 else { return nil }
        logarithm = Float(ScalarMath.log(Double(parameters.minP)))
    }

    package func apply(to candidates: inout Candidates, in context: StageContext) {
        let scores = candidates.scores
        let border = candidates.highest + logarithm
        candidates.filter { scores[$0] >= border }
    }
}

/// Keeps the tokens whose surprise −ln p is nearest to the entropy of the row, until their probabilities add to at
/// least the given mass; at equal distance the lower token id (Meister et al., "Locally Typical Sampling", 2022).
package struct TypicalP: SamplingStage {
    let mass: Double
    package var preservesArgmax: Bool { false }

    package init?(parameters: SamplingParameters, vocabulary: SamplingVocabulary) {
        guard parameters.typicalP < 1 else { return nil }
        mass = Double(parameters.typicalP)
    }

    package func apply(to candidates: inout Candidates, in context: StageContext) {
        guard let (highest, total) = candidates.weigh() else { return }
        let entropy = candidates.entropy(highest: highest, total: total)
        let scores = candidates.scores
        let distances = candidates.keys
        let logTotal = ScalarMath.log(total)
        for index in 0..<candidates.count {
            let surprise = logTotal - Double(scores[index] - highest)
            distances[index] = Float(abs(surprise - entropy))
        }
        candidates.keepPrefix(until: .weight(mass * total)) { PrefixSelection.ascending(distances[$0]) }
    }
}

/// Keeps scores of at least max − n·σ, with σ the population standard deviation of the scores above -infinity (Tang et
/// al., "Top-nσ: Not All Logits Are You Need", 2024, algorithm 1).
package struct TopNSigma: SamplingStage {
    let n: Double
    package var preservesArgmax: Bool { true }

    package init?(parameters: SamplingParameters, vocabulary: SamplingVocabulary) {
        guard parameters.topNSigma > 0 else { return nil }
        n = Double(parameters.topNSigma)
    }

    package func apply(to candidates: inout Candidates, in context: StageContext) {
        let scores = candidates.scores
        var alive = 0
        var sum = 0.0
        for index in 0..<candidates.count where scores[index] > -.infinity {
            alive += 1
            sum += Double(scores[index])
        }
        guard alive > 0 else { return }
        let mean = sum / Double(alive)
        var squares = 0.0
        for index in 0..<candidates.count where scores[index] > -.infinity {
            let difference = Double(scores[index]) - mean
            squares += difference * difference
        }
        let border = Double(candidates.highest) - n * (squares / Double(alive)).squareRoot()
        candidates.filter { Double(scores[$0]) >= border }
    }
}
